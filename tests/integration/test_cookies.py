# SPDX-License-Identifier: Apache-2.0
"""The cookie: its flags, when it is sent, and what else a response says about caching."""
import pytest

from harness.backend import Backend
from harness.client import Cookie
from harness.servers import Servers
from harness.site import change, log_in, probe_target
from harness.waiting import wait_until

SITE = """
ProxyPass "/proxy/" "http://127.0.0.1:%d/"
<Location "/proxy/">
    SessionFast On
    Session On
</Location>
ScriptAlias /named/ "{folder}/cgi/"
<Location "/named/">
    SessionFast On
    SessionFastCookieName sid
    SessionFastCookiePath /named/
    SessionFastCookieDomain example.org
    SessionFastCookieSameSite Strict
    SessionFastCookieHttpOnly Off
    SessionFastCookieSecure Off
    SessionFastCookieMaxAge 2h
    SessionFastCookieRemove Off
</Location>
ScriptAlias /uncontrolled/ "{folder}/cgi/"
<Location "/uncontrolled/">
    SessionFast On
    SessionFastCacheControl Off
</Location>
"""
PUBLIC = "Cache-Control: public, max-age=600, s-maxage=900"


@pytest.fixture(scope="module")
def server(probe):
    with Servers(probe) as servers:
        with Backend() as backend:
            yield servers.start("event", extra=SITE % backend.port)


@pytest.fixture(scope="module")
def django(probe):
    with Servers(probe) as servers:
        yield servers.start("event", extra="""
ScriptAlias /minute/ "{folder}/cgi/"
<Location "/minute/">
    SessionFast On
    SessionFastCookieMaxAge 1min
</Location>
ScriptAlias /brief/ "{folder}/cgi/"
<Location "/brief/">
    SessionFast On
    SessionFastCookieMaxAge 2s
</Location>
SessionFastPreset django
""")


def directives(response):
    """All Cache-Control directives, whichever line they stand in."""
    text = ",".join(response.all("Cache-Control"))
    return {part.strip().split("=")[0].lower() for part in text.split(",") if part.strip()}


def varies(response):
    return {part.strip().lower() for part in ",".join(response.all("Vary")).split(",")}


def test_safe_by_default(browser):
    cookie = Cookie(change(browser, "X-Session-Set: a=1").one("Set-Cookie"))
    assert cookie.name == "__Host-id"
    assert len(cookie.value) == 43
    assert cookie.attributes == {"path": "/", "secure": "", "httponly": "", "samesite": "Lax"}


def test_taken_away_with_the_same_attributes(browser):
    change(browser, "X-Session-Set: a=1")
    cookie = Cookie(change(browser, "X-Session-Logout: 1").one("Set-Cookie"))
    assert cookie.is_removal
    for name, value in {"path": "/", "secure": "", "httponly": "", "samesite": "Lax"}.items():
        assert cookie.attributes[name] == value
    assert "domain" not in cookie.attributes


def test_every_attribute_as_configured(browser):
    cookie = Cookie(change(browser, "X-Session-Set: a=1", "/named/probe").one("Set-Cookie"))
    assert cookie.name == "sid"
    expected = {"path": "/named/", "domain": "example.org", "samesite": "Strict", "max-age": "7200"}
    for name, value in expected.items():
        assert cookie.attributes[name] == value
    assert "secure" not in cookie.attributes and "httponly" not in cookie.attributes
    assert browser.get("/named/probe").variables["HTTP_COOKIE"] == f"sid={cookie.value}"


@pytest.mark.parametrize("place, expected", [("/app/probe", "1209600"), ("/minute/probe", "60")])
def test_preset_django(django, place, expected):
    """What a place says itself counts, and its preset stands in front of nothing."""
    browser = django.browser()
    cookie = Cookie(change(browser, "X-Session-Set: a=1", place).one("Set-Cookie"))
    attributes = {name: value for name, value in cookie.attributes.items() if name != "expires"}
    assert attributes == {"path": "/", "secure": "", "httponly": "", "samesite": "Lax", "max-age": expected}
    session = browser.get(place).session
    assert int(session["SESSION_EXPIRES"]) - int(session["SESSION_CREATED"]) >= 1209600


def test_cookie_with_an_age_lasts_as_long_as_it_is_used(django):
    """The browser would have forgotten the first one; all are the same id. Who only reads counts, too."""
    browser = django.browser()
    first = Cookie(change(browser, "X-Session-Set: a=1", "/brief/probe").one("Set-Cookie"))
    for _ in range(3):
        sent = wait_until(lambda: browser.get("/brief/probe").all("Set-Cookie"), "the cookie to be sent again")
        again = Cookie(sent[0])
        assert (len(sent), again.name, again.value, again.attributes["max-age"]) == (1, first.name, first.value, "2")
    assert browser.get("/brief/probe").session["SESSION_STATE"] == "active"


def test_sent_only_when_something_happens_to_the_id(browser):
    """Created, rotated, ended: one each; read, changed, touched: none."""
    assert len(change(browser, "X-Session-Set: a=1").all("Set-Cookie")) == 1
    for header in ("X-Session-Set: a=2", "X-Session-Increment: n", "X-Session-Unset: a", "X-Session-Append: t=x"):
        assert not change(browser, header).all("Set-Cookie"), header
    assert not browser.get("/app/probe").all("Set-Cookie")
    for header in ("X-Session-Rotate: 1", "X-Session-Login: alice", "X-Session-Logout: 1"):
        assert len(change(browser, header).all("Set-Cookie")) == 1, header
    assert not browser.get("/app/probe").all("Set-Cookie")


def test_an_application_that_sends_our_cookie_does_not_double_it(browser):
    response = browser.get(probe_target("/app/probe", header=["X-Session-Set: a=1", "Set-Cookie: other=1; Path=/"]))
    names = sorted(Cookie(header).name for header in response.all("Set-Cookie"))
    assert names == ["__Host-id", "other"]


@pytest.mark.parametrize("target", ["/app/probe", "/proxy/"])
def test_nobody_else_sets_our_cookie(browser, target):
    """Browsers leave blanks around the name out: so do we."""
    for pair in ("__Host-id=evil", "__Host-id =evil", "\t__Host-id\t= evil", " __Host-id=evil; Path=/; Secure"):
        response = browser.get(probe_target(target, header=[f"Set-Cookie: {pair}", "Set-Cookie: __Host-id2=mine"]))
        assert [Cookie(header).name for header in response.all("Set-Cookie")] == ["__Host-id2"], pair


@pytest.mark.parametrize("status", ["201", "302", "404", "500"])
def test_whatever_the_status(browser, status):
    response = change(browser, "X-Session-Set: a=1", status=status)
    assert response.status == int(status)
    assert len(response.all("Set-Cookie")) == 1
    assert browser.get("/app/probe").session["SESSION_FIELD_A"] == "1"


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
def test_whatever_the_method(browser, method):
    response = browser.request(method, probe_target(header="X-Session-Set: a=1"))
    assert response.status == 200
    assert len(response.all("Set-Cookie")) == 1


def test_empty_responses(browser):
    response = change(browser, "X-Session-Set: a=1", status="204")
    assert response.status == 204
    assert len(response.all("Set-Cookie")) == 1


def test_a_refused_change_is_an_error_and_changes_nothing(server, browser):
    """Increment of a text: the application is wrong, and hears of it."""
    change(browser, "X-Session-Set: a=text&b=1")
    response = change(browser, "X-Session-Increment: a&b")
    assert response.status == 500
    assert "QUERY_STRING" not in response.text
    session = browser.get("/app/probe").session
    assert (session["SESSION_FIELD_A"], session["SESSION_FIELD_B"]) == ("text", "1")
    assert server.log_lines(r"SF05\d\d")


def test_too_large_is_an_error_and_changes_nothing(server, browser):
    change(browser, "X-Session-Set: small=1")
    statuses = [change(browser, f"X-Session-Append: a={'x' * 2000}").status for _ in range(40)]
    assert statuses[0] == 200
    assert statuses[-1] >= 500
    session = browser.get("/app/probe").session
    assert (session["SESSION_STATE"], session["SESSION_FIELD_SMALL"]) == ("active", "1")


def test_caching_behind_a_proxied_server(browser):
    """Defect D4: what a proxied server says about caching does not make a private page public."""
    response = browser.get(probe_target("/proxy/", header=PUBLIC))
    assert "public" in directives(response), "a page without a session stays as it was"

    change(browser, "X-Session-Set: a=1")
    response = browser.get(probe_target("/proxy/", header=PUBLIC))
    assert response.status == 200
    assert "private" in directives(response)
    assert not directives(response) & {"public", "s-maxage"}
    assert "cookie" in varies(response)
    assert not response.all("Set-Cookie")


@pytest.mark.parametrize("target", ["/app/probe", "/legacy/probe"])
def test_caching_of_an_application(browser, target):
    response = browser.get(probe_target(target, header=[PUBLIC, "X-Session-Set: a=1", "Vary: Accept"]))
    assert "no-store" in directives(response), "this one carries the cookie"
    assert not directives(response) & {"public", "s-maxage"}

    response = browser.get(probe_target(target, header=[PUBLIC, "Vary: Accept"]))
    assert "private" in directives(response)
    assert not directives(response) & {"public", "s-maxage"}
    assert {"cookie", "accept"} <= varies(response)


def test_caching_that_the_application_forbids_stays_forbidden(browser):
    change(browser, "X-Session-Set: a=1")
    response = browser.get(probe_target(header="Cache-Control: no-store"))
    assert "no-store" in directives(response)
    assert "public" not in directives(response)


def test_caching_left_alone(browser):
    change(browser, "X-Session-Set: a=1")
    response = browser.get(probe_target("/uncontrolled/probe", header=PUBLIC))
    assert "public" in directives(response)


def test_change_is_committed_before_the_response(server, browser):
    """The next request, on another connection and in another process, sees it: nobody has to wait."""
    change(browser, "X-Session-Set: n=0")
    for expected in range(50):
        other = server.browser()
        other.cookies = dict(browser.cookies)
        response = change(other, "X-Session-Increment: n")
        assert response.session["SESSION_FIELD_N"] == str(expected)
        other.close()


def test_login_by_the_application_then_by_form(browser):
    """Two ways to log in, one session, one cookie each time."""
    assert len(change(browser, "X-Session-Login: carol").all("Set-Cookie")) == 1
    assert browser.get("/app/probe").session["SESSION_USER"] == "carol"
    assert len(log_in(browser).all("Set-Cookie")) == 1
    assert browser.get("/app/probe").session["SESSION_USER"] == "alice"
