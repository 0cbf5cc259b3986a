# SPDX-License-Identifier: Apache-2.0
"""mod_auth_form on our sessions: login, a thousand pages, logout, under each MPM."""
import time

import pytest

from harness.client import Cookie
from harness.site import PASSWORD, change, log_in, probe_target
from harness.waiting import wait_for_clock


def assert_logged_in(browser, user="alice", target="/member/cgi/probe"):
    response = browser.get(target)
    assert response.status == 200, response
    assert response.variables["REMOTE_USER"] == user
    assert response.session["SESSION_USER"] == user
    assert response.session["SESSION_STATE"] == "active"
    assert not response.all("Set-Cookie")


def test_login_thousand_views_logout(server, browser):
    assert browser.get("/member/index.html").status == 401
    assert browser.id is None

    response = log_in(browser)
    assert response.status == 302
    assert response.one("Location").endswith("/member/index.html")
    assert len(response.all("Set-Cookie")) == 1
    first_id = browser.id

    for _ in range(1000):
        response = browser.get("/member/index.html")
        assert response.status == 200
        assert not response.all("Set-Cookie")
    assert_logged_in(browser)

    response = browser.get("/logout")
    assert response.status == 307
    assert Cookie(response.one("Set-Cookie")).is_removal
    assert browser.id is None
    assert browser.get("/member/index.html").status == 401
    assert browser.get("/member/index.html", [("Cookie", f"__Host-id={first_id}")]).status == 401


def test_wrong_password_makes_no_session(browser):
    response = browser.post("/login", "httpd_username=alice&httpd_password=wrong")
    assert response.status == 302
    assert response.one("Location").endswith("/login.html")
    assert not response.all("Set-Cookie")


def test_login_with_max_age(browser):
    assert log_in(browser, target="/aged-login").status == 302
    for _ in range(20):
        response = browser.get("/aged/index.html")
        assert response.status == 200
        assert not response.all("Set-Cookie")


def test_login_with_a_cookie_that_expired(browser):
    """Defect D2 of httpd's own providers: the login was lost."""
    change(browser, "X-Session-Set: theme=dark", "/short/probe")
    expires = int(browser.get("/short/probe").session["SESSION_EXPIRES"])
    wait_for_clock(max(expires, time.time()) + 1.1)
    old_id = browser.id

    assert log_in(browser).status == 302
    assert browser.id not in (None, old_id)
    assert_logged_in(browser)


def test_login_again_after_the_login_expired(browser):
    """The same, where SessionMaxAge says how long."""
    assert log_in(browser, target="/short-login").status == 302
    wait_for_clock(time.time() + 2.1)
    response = browser.get("/short-member/index.html")
    assert response.status == 401

    assert log_in(browser, target="/short-login").status == 302
    assert browser.get("/short-member/index.html").status == 200


def test_login_with_a_cookie_that_means_nothing(browser):
    browser.cookies["__Host-id"] = "A" * 43
    assert log_in(browser).status == 302
    assert browser.id != "A" * 43
    assert_logged_in(browser)


def test_a_second_cookie_of_the_name_disables_nothing(browser):
    """Defect D5: somebody on a sibling domain can add cookies, not take ours out of order."""
    log_in(browser)
    for header in (f"__Host-id=junk; __Host-id={browser.id}", f"__Host-id={browser.id}; __Host-id=junk",
                   f"__Host-id={browser.id}; __Host-id={browser.id}", f"__Host-id=; x=1; __Host-id={browser.id}"):
        response = browser.get("/member/cgi/probe", [("Cookie", header)])
        assert response.status == 200, header
        assert response.variables["REMOTE_USER"] == "alice"
        assert "__Host-id" not in response.variables.get("HTTP_COOKIE", "")


def test_other_cookies_reach_the_application(browser):
    log_in(browser)
    response = browser.get("/member/cgi/probe", [("Cookie", f'a="1,2"; __Host-id={browser.id}; b={{"x":[1,2]}}')])
    assert response.variables["HTTP_COOKIE"] == 'a="1,2"; b={"x":[1,2]}'


def test_through_a_rewritten_request(browser):
    """An internal redirect by mod_rewrite: one session, changed once."""
    log_in(browser)
    assert_logged_in(browser, target="/again/probe")
    response = change(browser, "X-Session-Increment: n", "/again/probe")
    assert not response.all("Set-Cookie")
    assert browser.get("/app/probe").session["SESSION_FIELD_N"] == "1"


def test_through_a_redirect_by_the_application(browser):
    """A CGI's local Location: what it said about the session counts, once."""
    response = browser.get(probe_target("/app/probe", header=["X-Session-Increment: n", "Location: /app/probe"]))
    assert response.status == 200
    assert len(response.all("Set-Cookie")) == 1
    assert not response.all("X-Session-Increment")

    response = browser.get(probe_target("/app/probe", header="Location: /app/probe"))
    assert response.variables["REDIRECT_STATUS"] == "200"
    assert browser.id not in response.text, "under no name, such as REDIRECT_HTTP_COOKIE"
    assert browser.get("/app/probe").session["SESSION_FIELD_N"] == "1"


def test_login_inside_the_error_document(browser):
    """The page of a 401 is the login form; it posts to the page that was asked for."""
    response = browser.get("/inline/index.html")
    assert response.status == 401
    assert "log in" in response.text
    assert not response.all("Set-Cookie")

    response = log_in(browser, target="/inline/index.html")
    assert response.status == 200
    assert "members" in response.text
    assert len(response.all("Set-Cookie")) == 1

    response = browser.get("/inline/missing.html")
    assert response.status == 404
    assert not response.all("Set-Cookie")
    assert browser.get("/inline/index.html").status == 200


def test_error_document_of_a_changed_session(browser):
    """The error page itself is an application that changes the session."""
    response = browser.get("/noisy/missing")
    assert response.status == 404
    assert len(response.all("Set-Cookie")) == 1
    browser.get("/noisy/missing")
    assert browser.get("/app/probe").session["SESSION_FIELD_ERRORS"] == "2"


def test_through_proxy_fcgi(server, browser):
    if server.php is None:
        pytest.skip("php-fpm is not installed")
    log_in(browser)
    response = change(browser, "X-Session-Set: theme=dark", "/php/probe.php")
    assert response.session["SESSION_USER"] == "alice"
    assert not response.all("X-Session-Set") and not response.all("Set-Cookie")
    assert browser.get("/member/cgi/probe").session["SESSION_FIELD_THEME"] == "dark"
    assert browser.get("/php/probe.php").session["SESSION_FIELD_THEME"] == "dark"


def test_perl_and_shell_see_the_same_session(browser):
    log_in(browser)
    change(browser, "X-Session-Set: by=perl", "/member/cgi/probe.pl")
    assert browser.get("/member/cgi/probe.sh").session["SESSION_FIELD_BY"] == "perl"
    browser.get("/member/cgi/probe.sh?header=X-Session-Set:by=shell")
    assert browser.get("/member/cgi/probe.pl").session["SESSION_FIELD_BY"] == "shell"


def test_not_modified_stays_so(browser):
    log_in(browser)
    for target in ("/member/index.html", "/aged/index.html"):
        tag = browser.get(target).one("ETag")
        response = browser.get(target, [("If-None-Match", tag)])
        assert response.status == 304
        assert response.body == b""
        assert not response.all("Set-Cookie")


def test_no_secret_gets_into_the_log(server, browser):
    log_in(browser)
    first_id = browser.id
    browser.get("/member/index.html", [("Cookie", f"__Host-id={first_id}; __Host-id=junk")])
    browser.get("/member/cgi/probe")
    browser.get("/logout")
    assert PASSWORD not in server.log_text()
    assert first_id not in server.log_text()
