# SPDX-License-Identifier: Apache-2.0
"""A client cannot pretend to be a session."""
import pytest

from harness.backend import Backend
from harness.servers import MPMS
from harness.site import PASSWORD, change, log_in

FORGED = [("Session", "user=admin"), ("X-Session-User", "admin"), ("Session_User", "x"), ("SESSION_USER", "admin"),
          ("Session-User", "admin"), ("Session.User", "admin"), ("x-session-set", "role=admin"),
          ("X_Session_Login", "admin"), ("X.Session.Login", "admin"), ("X-Session-Field-Role", "admin"),
          ("HTTP_SESSION", "user=admin"), ("X-Replace-Session", "members-user=admin"), ("Remote-User", "admin")]
ALLOWED = {"HTTP_REMOTE_USER"}  # an ordinary request header: applications know it as one
PAGES = ["/app/probe", "/legacy/probe", "/legacy/probe.pl", "/php/probe.php"]


def session_names(response):
    return {name for name in response.variables if "SESSION" in name.upper() and name != "HTTP_X_REPLACE_SESSION"}


def assert_not_forged(response):
    assert response.status == 200, response
    forged = {name: value for name, value in response.variables.items()
              if ("admin" in value or value == "x") and name not in ALLOWED and name != "HTTP_X_REPLACE_SESSION"}
    assert not forged


@pytest.mark.parametrize("page", PAGES)
def test_anonymous_client(server, page):
    if page.startswith("/php/") and server.php is None:
        pytest.skip("php-fpm is not installed")
    browser = server.browser()
    response = browser.get(page, FORGED)
    assert_not_forged(response)
    assert session_names(response) <= {"SESSION_STATE", "HTTP_SESSION"}
    assert response.session["SESSION_STATE"] == "none"
    assert not response.all("Set-Cookie")
    browser.close()


@pytest.mark.parametrize("page", PAGES)
def test_client_with_a_session(server, page):
    if page.startswith("/php/") and server.php is None:
        pytest.skip("php-fpm is not installed")
    browser = server.browser()
    change(browser, "X-Session-Set: role=guest")
    response = browser.get(page, FORGED)
    assert_not_forged(response)
    assert "SESSION_USER" not in response.session
    assert response.session["SESSION_FIELD_ROLE"] == "guest"
    # Nothing of it has reached the session either.
    assert browser.get("/app/probe").session["SESSION_FIELD_ROLE"] == "guest"
    browser.close()


@pytest.mark.parametrize("page", ["/member/cgi/probe"])
def test_logged_in_client(server, page):
    browser = server.browser()
    log_in(browser, "bob")
    response = browser.get(page, FORGED)
    assert_not_forged(response)
    assert response.session["SESSION_USER"] == "bob"
    browser.close()


@pytest.mark.parametrize("mpm", MPMS)
def test_trailers_are_no_way_around(servers, mpm):
    """MergeTrailers: what comes behind a form that mod_auth_form has read stands among the headers then."""
    server = servers.start(mpm, extra="""
MergeTrailers On
ScriptAlias /posted/ "{folder}/cgi/"
<Location "/posted/">
    SessionFast On
    Session On
    AuthType form
    AuthName members
    AuthFormProvider file
    AuthUserFile "{folder}/users"
    Require valid-user
</Location>
""")
    form = f"httpd_username=alice&httpd_password={PASSWORD}"
    connection = server.connection()
    connection.send_raw("\r\n".join([
        "POST /posted/probe HTTP/1.1", "Host: localhost", "Content-Type: application/x-www-form-urlencoded",
        "Transfer-Encoding: chunked", "", f"{len(form):x}", form, "0", "Session: user=admin", "X-Session-User: admin",
        "X-Other: seen", "", ""]).encode())
    response = connection.receive("POST")
    connection.close()
    assert response.status == 200
    assert response.variables["HTTP_X_OTHER"] == "seen", "or this shows nothing"
    assert_not_forged(response)


def test_trace_does_not_show_the_cookie(server):
    browser = server.browser()
    change(browser, "X-Session-Set: a=1")
    for place in ("/app/probe", "/plain/probe"):
        response = browser.request("TRACE", place, [("Cookie", f"__Host-id={browser.id}"), ("X-Other", "shown")])
        assert response.status == 200 and "shown" in response.text
        assert browser.id not in response.text
    browser.close()


def test_other_names_are_left_alone(server):
    browser = server.browser()
    response = browser.get("/app/probe", [("SessionExtra", "1"), ("X-SessionToken", "2"), ("X-Sessions", "3")])
    seen = response.variables
    assert (seen["HTTP_SESSIONEXTRA"], seen["HTTP_X_SESSIONTOKEN"], seen["HTTP_X_SESSIONS"]) == ("1", "2", "3")
    browser.close()


def test_raw_answers_are_warned_of(servers):
    server = servers.make("event")
    program = server.folder / "cgi/nph-raw.sh"
    program.write_text("#!/bin/sh\nprintf 'HTTP/1.1 200 OK\\r\\nX-Session-Set: a=1\\r\\nContent-Length: 0\\r\\n\\r\\n'\n")
    program.chmod(0o755)
    server.start()
    browser = server.browser()
    for _ in range(3):
        assert browser.get("/app/nph-raw.sh").status == 200
        assert browser.get("/plain/nph-raw.sh").status == 200
    assert 1 <= len(server.log_lines("SF0525")) <= len(server.workers())
    assert browser.get("/app/probe").session["SESSION_STATE"] == "none"
    browser.close()


def test_proxied_server_sees_no_forged_header(servers):
    with Backend() as backend:
        server = servers.start("event", extra=f"""
ProxyPass "/proxy/" "http://127.0.0.1:{backend.port}/"
<Location "/proxy/">
    SessionFast On
</Location>
""")
        browser = server.browser()
        change(browser, "X-Session-Set: role=guest")
        sent = [pair for pair in FORGED if pair[0] not in ("HTTP_SESSION", "Remote-User", "X-Replace-Session")]
        response = browser.get("/proxy/", sent)
        assert response.status == 200, response
        seen = response.variables
        assert not [name for name in seen if "session" in name], seen
        assert "cookie" not in seen
        browser.close()


def test_control_headers_never_reach_the_client(servers):
    server = servers.start("event")
    browser = server.browser()
    for header in ("X-Session-Set: a=1", "X-SESSION-INCREMENT: n", "X-Session-Typo: a=1", "X-Session-Set: %zz"):
        response = change(browser, header)
        assert not [name for name, _ in response.headers if "session" in name.lower()], header
    browser.close()


def test_control_headers_where_they_are_off(servers):
    """SessionFastResponseHeaders Off: an application that may not change the session does not."""
    server = servers.start("event", extra="""
<Location "/app/">
    SessionFastResponseHeaders Off
</Location>
""")
    browser = server.browser()
    response = change(browser, "X-Session-Login: admin")
    assert not response.all("Set-Cookie")
    assert not response.all("X-Session-Login")
    assert browser.get("/app/probe").session["SESSION_STATE"] == "none"
    browser.close()
