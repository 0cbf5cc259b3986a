# SPDX-License-Identifier: Apache-2.0
"""Redirects inside httpd and error pages: what an application said counts at its own place, and nowhere else."""
import pytest

from harness import build
from harness.servers import Servers
from harness.site import change, probe_target

SITE = """
ScriptAlias /silent/ "{folder}/cgi/"
<Location "/silent/">
    SessionFast On
    SessionFastResponseHeaders Off
</Location>
ScriptAlias /excluded/ "{folder}/cgi/"
<Location "/excluded/">
    SessionFast On
    Session On
    SessionExclude /excluded/
</Location>
ScriptAlias /part/ "{folder}/cgi/"
<Location "/part/">
    SessionFast On
    SessionFastExport shown
</Location>
LoadModule include_module %(modules)s/mod_include.so
<Directory "{folder}/site">
    Options +Includes
</Directory>
Alias /ssi/ "{folder}/site/ssi/"
<Location "/ssi/">
    SessionFast On
    Session On
    SessionEnv On
    SetOutputFilter INCLUDES
</Location>
# Each of these replaces what its application says by an error page.
<LocationMatch "^/failing-(on|off|silent)/(?<page>[a-z]+\\.php)$">
    SetHandler "proxy:unix:{folder}/php.sock|fcgi://php/"
    ProxyErrorOverride On
</LocationMatch>
Alias /failing-on/ "{folder}/cgi/"
Alias /failing-off/ "{folder}/cgi/"
Alias /failing-silent/ "{folder}/cgi/"
<LocationMatch "^/failing-(on|silent)/">
    SessionFast On
</LocationMatch>
<Location "/failing-silent/">
    SessionFastResponseHeaders Off
</Location>
<LocationMatch "^/failing-">
    ErrorDocument 404 /app/probe
    ErrorDocument 410 /plain/probe?header=X-Session-Login:%20admin
    ErrorDocument 411 /plain/probe?header=X-Session-Login:%20admin&header=Location:%20/missing
</LocationMatch>
"""
LOGIN = "X-Session-Login: admin"
INCREMENT = "X-Session-Increment: n"


@pytest.fixture(scope="module", params=["prefork", "worker", "event"])
def server(request, probe):
    with Servers(probe) as servers:
        server = servers.make(request.param, extra=SITE.replace("%(modules)s", str(build.HTTPD_MODULES)),
                              php=build.php_fpm() is not None)
        (server.folder / "site/ssi").mkdir()
        (server.folder / "site/ssi/page.html").write_text('<!--#include virtual="/plain/probe.sh" -->')
        yield server.start()


def user_of(browser):
    return browser.get("/app/probe").session.get("SESSION_USER")


def leads(*way):
    """A target that redirects from each place to the next: (place, headers of its application)..."""
    target = ""
    for place, headers in reversed(way):
        target = probe_target(place, header=[*headers, f"Location: {target}"] if target else headers)
    return target


@pytest.mark.parametrize("place", ["/plain/probe", "/silent/probe", "/excluded/probe"])
def test_who_may_not_log_in_does_not_by_a_redirect(browser, place):
    response = browser.get(leads((place, [LOGIN]), ("/app/probe", [])))
    assert response.status == 200
    assert not response.all("Set-Cookie") and not response.all("X-Session-Login")
    change(browser, "X-Session-Set: a=1")
    browser.get(leads((place, [LOGIN]), ("/app/probe", [])))
    browser.get(leads(("/app/probe", []), (place, [LOGIN])))
    browser.get(leads((place, [LOGIN]), (place, [LOGIN]), ("/app/probe", [])))
    assert user_of(browser) is None


@pytest.mark.parametrize("place", ["/plain/probe", "/silent/probe", "/excluded/probe"])
def test_what_others_on_the_way_say_still_counts(browser, place):
    for way in (((place, [LOGIN]), ("/app/probe", [INCREMENT])), (("/app/probe", [INCREMENT]), (place, [LOGIN])),
                (("/app/probe", [INCREMENT]), (place, [LOGIN]), ("/app/probe", []))):
        assert browser.get(leads(*way)).status == 200
    session = browser.get("/app/probe").session
    assert session["SESSION_FIELD_N"] == "3"
    assert "SESSION_USER" not in session


def test_each_on_the_way_counts_once(browser):
    response = browser.get(leads(("/app/probe", [INCREMENT]), ("/legacy/probe", [INCREMENT]), ("/app/probe", [LOGIN])))
    assert len(response.all("Set-Cookie")) == 1
    session = browser.get("/app/probe").session
    assert (session["SESSION_FIELD_N"], session["SESSION_USER"]) == ("2", "admin")


def test_error_page_at_another_place(server, browser):
    if server.php is None:
        pytest.skip("php-fpm is not installed")

    def fails(place, header, status):
        assert browser.get(probe_target(f"/failing-{place}/probe.php", header=header, status=status)).status == status

    for place in ("off", "silent"):
        fails(place, LOGIN, 404)
        fails(place, LOGIN, 410)
    fails("on", INCREMENT, 404)
    fails("on", INCREMENT, 410)
    assert user_of(browser) is None
    fails("on", INCREMENT, 411)
    session = browser.get("/app/probe").session
    assert session["SESSION_FIELD_N"] == "3"
    assert "SESSION_USER" not in session


def sessions_in(response):
    """Names of variables that tell something of a session, and whatever holds the cookie."""
    assert response.status == 200, response
    return {name for name in response.variables if "SESSION" in name} - {"SESSION_STATE"}


def test_a_redirect_brings_nothing_along(browser):
    """httpd calls the environment of the request before REDIRECT_..., once more for each redirect."""
    change(browser, "X-Session-Set: secret=S&shown=O")
    change(browser, "X-Session-Login: alice")
    for way in ((("/app/probe", []), ("/part/probe", [])), (("/app/probe", []), ("/app/probe", []), ("/part/probe", [])),
                (("/legacy/probe", []), ("/part/probe", []))):
        response = browser.get(leads(*way))
        assert response.variables["REDIRECT_STATUS"] == "200"
        assert "SESSION_FIELD_SHOWN" in sessions_in(response)
        assert not [name for name in sessions_in(response) if name.startswith(("REDIRECT_", "HTTP_"))]
        assert "secret" not in response.text.replace("header=", "").lower() and browser.id not in response.text
    for way in ((("/app/probe", []), ("/plain/probe", [])), (("/app/probe", []), ("/app/probe", []), ("/plain/probe", []))):
        response = browser.get(leads(*way))
        assert not sessions_in(response) and browser.id not in response.text
    response = browser.get(leads(("/plain/probe", []), ("/plain/probe", []), ("/app/probe", [])))
    assert response.session["SESSION_USER"] == "alice"
    assert browser.id not in response.text, "in REDIRECT_REDIRECT_HTTP_COOKIE"


def test_a_part_of_a_page_brings_nothing_along(browser):
    change(browser, "X-Session-Set: secret=S")
    response = browser.get("/ssi/page.html")
    assert "QUERY_STRING" in response.text
    assert not sessions_in(response) and "SESSION_STATE" not in response.variables and browser.id not in response.text
