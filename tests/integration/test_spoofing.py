# SPDX-License-Identifier: Apache-2.0
"""A client cannot pretend to be a session."""
import pytest

from harness.backend import Backend
from harness.site import change, log_in

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
