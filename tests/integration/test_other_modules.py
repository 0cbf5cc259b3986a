# SPDX-License-Identifier: Apache-2.0
"""Other modules around ours: error pages, filters, subrequests, caches, HTTP/2, and a log that is rotated."""
import os
import signal
import subprocess
from http.server import BaseHTTPRequestHandler

import pytest

from harness import build
from harness.backend import Backend
from harness.client import Cookie
from harness.servers import Servers
from harness.site import change, log_in, probe_target
from harness.waiting import wait_until

MODULES = "".join(f"LoadModule {name}_module {build.HTTPD_MODULES}/mod_{name}.so\n" for name in
                  "include filter deflate http2 cache cache_disk expires".split())

SITE = """
Protocols h2c http/1.1
<Directory "{folder}/site">
    Options +Includes
    AllowOverride AuthConfig
</Directory>
ProxyPass "/proxy/" "http://127.0.0.1:%(backend)d/"
<Location "/proxy/">
    SessionFast On
</Location>
ProxyPass "/replaced/" "http://127.0.0.1:%(missing)d/"
<Location "/replaced/">
    SessionFast On
    ProxyErrorOverride On
</Location>
ProxyPass "/own-page/" "http://127.0.0.1:%(missing)d/"
<Location "/own-page/">
    SessionFast On
    ProxyErrorOverride On
    ErrorDocument 404 /index.html
</Location>
ScriptAlias /custom/ "{folder}/cgi/"
<Location "/custom/">
    SessionFast On
    ErrorDocument 500 /app/probe?from=error
</Location>
ScriptAlias /zip/ "{folder}/cgi/"
<Location "/zip/">
    SessionFast On
    SetOutputFilter DEFLATE
</Location>
Alias /ssi/ "{folder}/site/ssi/"
<Location "/ssi/">
    SessionFast On
    SetOutputFilter INCLUDES
</Location>
Alias /ssi-off/ "{folder}/site/ssi/"
<Location "/ssi-off/">
    SetOutputFilter INCLUDES
</Location>
ScriptAlias /index/ "{folder}/cgi/"
<Location "/index/">
    SessionFast On
    DirectoryIndex probe
</Location>
<Location "/index/probe">
    SessionFastExport a
</Location>
CacheRoot "{folder}/run"
CacheEnable disk /cached/
ScriptAlias /cached/ "{folder}/cgi/"
<Location "/cached/">
    SessionFast On
</Location>
Alias /expires/ "{folder}/site/member/"
<Location "/expires/">
    SessionFast On
    ExpiresActive On
    ExpiresDefault "access plus 1 hour"
</Location>
Alias /htaccess/ "{folder}/site/htaccess/"
ScriptAlias /two/ "{folder}/cgi/"
<Location "/two/">
    SessionFast On
    SessionFastCookieName __Host-two
</Location>
"""


class Missing(BaseHTTPRequestHandler):
    """An application that answers 404 and sets a field."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(404)
        self.send_header("X-Session-Set", "a=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module", params=["prefork", "event"])
def server(request, probe):
    with Servers(probe) as servers:
        with Backend() as backend, Backend(Missing) as missing:
            ports = {"backend": backend.port, "missing": missing.port}
            server = servers.make(request.param, extra=MODULES + SITE % ports, php=build.php_fpm() is not None)
            write_pages(server.folder / "site")
            yield server.start()


def write_pages(site):
    (site / "ssi").mkdir()
    (site / "ssi/page.html").write_text('<!--#include virtual="/app/probe?header=X-Session-Increment:hits" -->')
    (site / "ssi/state.html").write_text('[<!--#echo var="SESSION_STATE" -->]')
    (site / "htaccess").mkdir()
    (site / "htaccess/.htaccess").write_text("SessionFast On\n")
    (site / "htaccess/index.html").write_text("<title>by .htaccess</title>")


@pytest.mark.parametrize("place", ["/app/probe", "/php/probe.php", "/proxy/", "/zip/probe", "/legacy/probe"])
def test_error_in_place_of_the_page(server, browser, place):
    """Once, whole, and with a connection that goes on, whatever kind of handler has written the page."""
    if place.startswith("/php/") and server.php is None:
        pytest.skip("php-fpm is not installed")
    change(browser, "X-Session-Set: a=text")
    for _ in range(3):
        response = change(browser, "X-Session-Increment: a", place)
        assert response.status == 500, response
        assert response.text.count("</html>") == 1 and "QUERY_STRING" not in response.text
        assert not response.all("X-Session-Increment")
        assert browser.get("/app/probe").session["SESSION_FIELD_A"] == "text"


def test_error_page_of_the_administrator(browser):
    change(browser, "X-Session-Set: a=text")
    response = change(browser, "X-Session-Increment: a", "/custom/probe")
    assert response.status == 500
    assert response.variables["QUERY_STRING"] == "from=error"
    assert response.session["SESSION_FIELD_A"] == "text"
    assert not response.all("Set-Cookie")


@pytest.mark.parametrize("place", ["/replaced/", "/own-page/"])
def test_an_error_page_does_not_swallow_a_change(browser, place):
    response = browser.get(place)
    assert response.status == 404
    assert len(response.all("Set-Cookie")) == 1
    assert browser.get("/app/probe").session["SESSION_FIELD_A"] == "1"


def test_behind_compression(browser):
    response = browser.get(probe_target("/zip/probe", header="X-Session-Set: a=1"), [("Accept-Encoding", "gzip")])
    assert response.one("Content-Encoding") == "gzip"
    assert len(response.all("Set-Cookie")) == 1
    assert browser.get("/zip/probe").session["SESSION_FIELD_A"] == "1"


def test_included_application_changes_the_session(browser):
    change(browser, "X-Session-Set: a=1")
    for _ in range(3):
        response = browser.get("/ssi/page.html")
        assert response.status == 200 and not response.all("Set-Cookie")
    assert browser.get("/app/probe").session["SESSION_FIELD_HITS"] == "3"
    assert "[active]" in browser.get("/ssi/state.html").text


@pytest.mark.parametrize("page", ["/ssi/page.html", "/ssi-off/page.html"])
def test_included_application_comes_too_late_for_a_cookie(server, browser, page):
    """Then nothing is made: a session without a browser that knows its id would be lost."""
    before = int(server.status()["sessions_created"])
    response = browser.get(page)
    assert response.status == 200 and not response.all("Set-Cookie")
    assert int(server.status()["sessions_created"]) == before
    assert server.log_lines("SF0515")


def test_included_from_a_page_without_sessions(browser):
    change(browser, "X-Session-Set: a=1")
    response = browser.get("/ssi-off/page.html")
    assert response.session["SESSION_FIELD_A"] == "1"
    assert browser.id not in response.text
    assert browser.get("/app/probe").session["SESSION_FIELD_HITS"] == "1"


def test_index_of_a_folder_has_its_own_rules(browser):
    change(browser, "X-Session-Set: a=1&b=2")
    response = browser.get("/index/")
    names = [item.split("=")[0] for item in response.text.split("\0")]
    assert names.count("SESSION_STATE") == 1
    assert response.session["SESSION_FIELD_A"] == "1"
    assert "SESSION_FIELD_B" not in response.session


def test_a_cache_serves_nobody_elses_session(server, browser):
    public = "Cache-Control: public, max-age=600"
    change(browser, "X-Session-Set: a=mine")
    page = probe_target("/cached/probe", header=public)
    assert browser.get(page).session["SESSION_FIELD_A"] == "mine"
    others = [server.browser() for _ in range(2)]
    for other in others:
        assert "SESSION_FIELD_A" not in other.get(page).session
    assert browser.get(page).session["SESSION_FIELD_A"] == "mine"

    for other in others:
        response = other.get(probe_target("/cached/probe", header=[public, "X-Session-Increment: n"]))
        assert len(response.all("Set-Cookie")) == 1
    assert others[0].id != others[1].id


def test_max_age_of_mod_expires_stays(browser):
    change(browser, "X-Session-Set: a=1")
    text = ",".join(browser.get("/expires/index.html").all("Cache-Control"))
    assert "private" in text and "max-age=3600" in text


def test_switched_on_by_htaccess(browser):
    change(browser, "X-Session-Set: a=1")
    response = browser.get("/htaccess/index.html")
    assert response.status == 200
    assert "private" in ",".join(response.all("Cache-Control"))


def test_two_cookie_names_are_two_sessions(browser):
    change(browser, "X-Session-Set: a=1")
    response = change(browser, "X-Session-Set: a=2", "/two/probe")
    assert Cookie(response.one("Set-Cookie")).name == "__Host-two"
    assert browser.get("/app/probe").session["SESSION_FIELD_A"] == "1"
    assert browser.get("/two/probe").session["SESSION_FIELD_A"] == "2"


def test_http2(server, browser):
    def get(target):
        # Without what a test run may preload into each program.
        done = subprocess.run(["curl", "-s", "-i", "--http2-prior-knowledge", "-b", f"__Host-id={browser.id}",
                               f"http://localhost:{server.port}{target}"], capture_output=True, timeout=20,
                              env={"PATH": "/usr/bin:/bin"}, check=True)
        return done.stdout.decode()

    change(browser, "X-Session-Set: a=text")
    assert "SESSION_FIELD_A=text" in get("/app/probe")
    assert get(probe_target("/app/probe", header="X-Session-Increment: a")).startswith("HTTP/2 500")
    assert get(probe_target("/proxy/", header="X-Session-Rotate: 1")).lower().count("set-cookie:") == 1


def test_a_rotated_log_is_left_by_the_daemon(servers):
    """Otherwise it would write into the old file until httpd stops."""
    server = servers.start("event")
    browser = server.browser()
    log_in(browser)
    old = server.daemon_pid()
    server.log.rename(server.log.with_suffix(".1"))
    server.parent.send_signal(signal.SIGUSR1)
    wait_until(lambda: server.count_in_log("resuming normal operations") > 0, "httpd to restart", 20)
    assert server.daemon_pid() not in (None, old)
    assert os.readlink(f"/proc/{server.daemon_pid()}/fd/2") == str(server.log)
    assert browser.get("/app/probe").session["SESSION_USER"] == "alice"
