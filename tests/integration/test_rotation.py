# SPDX-License-Identifier: Apache-2.0
"""Ids are replaced at login; old ones, unknown ones and forged ones give nobody anything."""
import secrets
import time

import pytest

from harness.servers import Servers
from harness.site import change, log_in
from harness.waiting import wait_for_clock

GRACE = 2  # seconds


@pytest.fixture(scope="module")
def server(probe):
    with Servers(probe) as servers:
        yield servers.start("event", instance=f"SessionFastRotateGrace {GRACE}s")


def holder(server, session_id):
    """Somebody else who knows an id."""
    other = server.browser()
    other.cookies = {"__Host-id": session_id}
    return other


def assert_dead(other):
    response = other.get("/app/probe")
    assert response.session["SESSION_STATE"] == "none"
    assert not [name for name in response.session if name.startswith("SESSION_FIELD_")]
    assert other.get("/member/index.html").status == 401


@pytest.mark.parametrize("by", ["form", "application"])
def test_login_rotates(server, browser, by):
    change(browser, "X-Session-Set: theme=dark")
    old_id = browser.id
    began = time.time()
    if by == "form":
        log_in(browser)
    else:
        change(browser, "X-Session-Login: alice")
    assert browser.id not in (None, old_id)
    session = browser.get("/app/probe").session
    assert (session["SESSION_USER"], session["SESSION_FIELD_THEME"]) == ("alice", "dark")

    # Requests that were on their way see what was; they get no privilege and cannot change what is.
    old = holder(server, old_id)
    response = old.get("/app/probe")
    assert response.session["SESSION_FIELD_THEME"] == "dark"
    assert "SESSION_USER" not in response.session
    assert old.get("/member/index.html").status == 401
    assert not change(old, "X-Session-Set: theme=stolen").all("Set-Cookie")
    assert browser.get("/app/probe").session["SESSION_FIELD_THEME"] == "dark"

    wait_for_clock(began + GRACE + 1)
    assert_dead(holder(server, old_id))
    assert browser.get("/app/probe").session["SESSION_USER"] == "alice"


def test_an_old_id_cannot_log_the_new_one_out(server, browser):
    change(browser, "X-Session-Set: theme=dark")
    old_id = browser.id
    log_in(browser)
    change(holder(server, old_id), "X-Session-Logout: 1")
    assert browser.get("/member/index.html").status == 200


def test_rotation_without_login(server, browser):
    """Same privileges: a request on its way may still change the session, through its old id."""
    change(browser, "X-Session-Set: theme=dark")
    old_id = browser.id
    began = time.time()
    change(browser, "X-Session-Rotate: 1")
    assert browser.id not in (None, old_id)
    old = holder(server, old_id)
    assert old.get("/app/probe").session["SESSION_FIELD_THEME"] == "dark"
    response = change(old, "X-Session-Increment: n")
    assert not response.all("Set-Cookie")
    assert browser.get("/app/probe").session["SESSION_FIELD_N"] == "1"

    wait_for_clock(began + GRACE + 1)
    assert_dead(holder(server, old_id))


def test_logout_reaches_the_id_before(server, browser):
    """Logged in, rotated, logged out: neither id is good for anything, at once."""
    log_in(browser)
    first = browser.id
    change(browser, "X-Session-Rotate: 1")
    second = browser.id
    old = holder(server, first)
    assert old.get("/app/probe").session["SESSION_USER"] == "alice"
    browser.get("/logout")
    assert_dead(holder(server, second))
    assert_dead(old)
    change(old, "X-Session-Set: theme=late")
    assert old.id not in (first, second)
    assert "SESSION_USER" not in old.get("/app/probe").session


def test_login_of_somebody_else_ends_the_id_before(server, browser):
    change(browser, "X-Session-Login: alice")
    first = browser.id
    change(browser, "X-Session-Login: bob")
    assert_dead(holder(server, first))
    assert browser.get("/app/probe").session["SESSION_USER"] == "bob"


@pytest.mark.parametrize("wish", ["X-Session-Rotate: 1", "X-Session-Login: eve"])
def test_a_replaced_id_does_not_take_the_session_over(server, browser, wish):
    change(browser, "X-Session-Login: alice")
    change(browser, "X-Session-Set: theme=dark")
    old_id = browser.id
    change(browser, "X-Session-Rotate: 1")
    thief = holder(server, old_id)
    change(thief, wish)
    if thief.id != old_id:
        session = thief.get("/app/probe").session
        assert session["SESSION_USER"] == "eve" and "SESSION_FIELD_THEME" not in session
    session = browser.get("/app/probe").session
    assert (session["SESSION_USER"], session["SESSION_FIELD_THEME"]) == ("alice", "dark")


def unknown_ids():
    yield "text of the right length", "A" * 43
    yield "random", secrets.token_urlsafe(32)
    yield "too short", "A" * 42
    yield "too long", "A" * 44
    yield "empty", ""
    yield "8 KiB", "A" * 8000
    yield "quotes", '"' + "A" * 43 + '"'
    yield "all bytes", "".join(chr(byte) for byte in range(1, 256) if chr(byte) not in "\r\n;\0")


@pytest.mark.parametrize("what, offered", unknown_ids(), ids=lambda value: value if len(value) < 30 else "")
def test_unknown_ids_are_never_adopted(server, what, offered):
    """Session fixation: an attacker who plants an id gains nothing."""
    other = holder(server, offered)
    response = other.get("/app/probe")
    if response.status == 400:
        return  # httpd itself refuses such a header
    assert response.status == 200, what
    assert response.session["SESSION_STATE"] == "none"
    assert not response.all("Set-Cookie")
    change(other, "X-Session-Set: theme=dark")
    assert other.id not in (None, offered)
    assert other.get("/app/probe").session["SESSION_FIELD_THEME"] == "dark"


def test_a_changed_id_is_not_ours(server, browser):
    change(browser, "X-Session-Set: theme=dark")
    for index in range(0, 43, 6):
        letter = "B" if browser.id[index] != "B" else "C"
        forged = browser.id[:index] + letter + browser.id[index + 1:]
        assert holder(server, forged).get("/app/probe").session["SESSION_STATE"] == "none"


def test_an_ended_id_is_not_adopted(server, browser):
    change(browser, "X-Session-Set: theme=dark")
    old_id = browser.id
    change(browser, "X-Session-Logout: 1")
    other = holder(server, old_id)
    assert_dead(other)
    # A form that is posted with the old cookie starts afresh, under a new id, or not at all; never under the old one.
    log_in(other)
    assert other.id not in (None, old_id)
    assert other.get("/member/index.html").status == 200
    assert_dead(holder(server, old_id))
