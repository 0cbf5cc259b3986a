# SPDX-License-Identifier: Apache-2.0
"""Cookies with several ids of ours: somebody may have planted one, or an old one is left over."""
import pytest

from harness.backend import Backend
from harness.servers import MPMS, Servers
from harness.site import change, log_in, probe_target

SITE = """
ProxyPass "/proxy/" "http://127.0.0.1:%d/"
<Location "/proxy/">
    SessionFast On
</Location>
ScriptAlias /not-alice/ "{folder}/cgi/"
<Location "/not-alice/">
    SessionFast On
    <RequireAll>
        Require all granted
        Require not session-user alice
    </RequireAll>
</Location>
"""


@pytest.fixture(scope="module", params=MPMS)
def server(request, probe):
    with Servers(probe) as servers, Backend() as backend:
        yield servers.start(request.param, extra=SITE % backend.port)


@pytest.fixture
def ids(server):
    """Makes that many sessions, with the field n=1, 2, ..."""
    def make(count):
        found = []
        for n in range(1, count + 1):
            browser = server.browser()
            change(browser, f"X-Session-Set: n={n}")
            found.append(browser.id)
            browser.close()
        return found
    return make


def cookie(*ids):
    return [("Cookie", "; ".join(f"__Host-id={one}" for one in ids))]


def ask(browser, *ids, target="/app/probe"):
    return browser.get(target, cookie(*ids))


def end(browser, *ids):
    for one in ids:
        ask(browser, one, target=probe_target(header="X-Session-Logout: 1"))


def test_the_living_one_is_used(browser, ids):
    alive, *dead = ids(4)
    end(browser, *dead)
    for order in ([alive, *dead], [*dead, alive], [dead[0], alive, dead[1], dead[1]]):
        assert ask(browser, *order).session["SESSION_FIELD_N"] == "1"
    ask(browser, *dead, alive, target=probe_target(header="X-Session-Set: n=5"))
    assert ask(browser, alive).session["SESSION_FIELD_N"] == "5"
    end(browser, alive)
    assert ask(browser, alive, *dead).session == {"SESSION_STATE": "none"}


def test_one_that_was_replaced_stands_back(server, browser, ids):
    """What the browser still sends for another path, for instance."""
    old, = ids(1)
    browser.cookies = {"__Host-id": old}
    change(browser, "X-Session-Rotate: 1")
    new = browser.id
    other = server.browser()
    for order in ((old, new), (new, old)):
        assert ask(other, *order).session["SESSION_FIELD_N"] == "1"
        response = ask(other, *order, target=probe_target(header="X-Session-Increment: count"))
        assert not response.all("Set-Cookie")
    assert ask(other, new).session["SESSION_FIELD_COUNT"] == "2"


def test_of_two_living_ones_none_is_used(server, browser, ids):
    one, two = ids(2)
    before = server.status()
    for _ in range(20):
        response = ask(browser, one, two, target=probe_target(header="X-Session-Set: n=9"))
        assert response.status == 200
        assert response.session == {"SESSION_STATE": "none"}
        assert not response.all("Set-Cookie")
        assert not {one, two} & set(response.text.replace("=", ";").split(";"))
    after = server.status()
    assert int(after["ids_ambiguous"]) - int(before["ids_ambiguous"]) == 20
    assert after["sessions_created"] == before["sessions_created"]
    assert (ask(browser, one).session["SESSION_FIELD_N"], ask(browser, two).session["SESSION_FIELD_N"]) == ("1", "2")


def test_the_log_is_not_filled(server, browser, ids):
    one, two = ids(2)
    for _ in range(50):
        ask(browser, one, two)
    assert 1 <= len(server.log_lines("SF0510")) <= 2 * len(server.workers())


def test_a_login_ends_the_doubt(browser, ids):
    one, two = ids(2)
    response = browser.request("POST", "/login", [*cookie(one, two), (
        "Content-Type", "application/x-www-form-urlencoded")], b"httpd_username=alice&httpd_password=Xq7-not-in-any-log")
    assert len(response.all("Set-Cookie")) == 1
    session = browser.get("/app/probe").session
    assert session["SESSION_USER"] == "alice" and "SESSION_FIELD_N" not in session
    response = ask(browser, one, two, target=probe_target(header="X-Session-Login: carol"))
    assert len(response.all("Set-Cookie")) == 1
    assert browser.get("/app/probe").session["SESSION_USER"] == "carol"


def test_more_than_can_be_looked_at(browser, ids):
    assert ask(browser, *ids(5)).session == {"SESSION_STATE": "none"}


def test_a_negated_rule_does_not_let_pass_whom_it_cannot_tell(browser, ids, server):
    one, = ids(1)
    log_in(browser, "alice")
    other = server.browser()
    assert ask(other, browser.id, target="/not-alice/probe").status == 403
    assert ask(other, browser.id, one, target="/not-alice/probe").status == 500
    assert ask(other, one, target="/not-alice/probe").status == 200


def test_two_cookie_lines(server, browser, ids):
    """httpd joins them by a comma. What stands behind one could be the value of another cookie, of anybody's making."""
    one, = ids(1)
    ours, other = ("Cookie", f"__Host-id={one}"), ("Cookie", "a=1; b=2")
    for target, name in (("/app/probe", "HTTP_COOKIE"), ("/proxy/", "cookie")):
        for lines in ([ours, other], [other, ours], [("Cookie", f"a=1, __Host-id={one}; b=2")]):
            response = browser.get(target, lines)
            assert response.status == 200 and one not in response.text
            assert response.variables[name] == "a=1; b=2"
    assert browser.get("/app/probe", [ours, other]).session["SESSION_FIELD_N"] == "1"
    assert browser.get("/app/probe", [other, ours]).session == {"SESSION_STATE": "none"}
