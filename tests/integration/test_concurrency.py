# SPDX-License-Identifier: Apache-2.0
"""Many requests of one session at once, under each MPM: every change counts."""
import pytest

from harness.load import at_once
from harness.servers import MPMS, Servers
from harness.site import change, log_in, probe_target
from harness.waiting import wait_until

REQUESTS = 100


@pytest.fixture(params=MPMS, scope="module")
def server(request, probe):
    """Enough processes for all requests at once, from the start."""
    with Servers(probe) as servers:
        yield servers.start(request.param, children=REQUESTS + 10)


@pytest.fixture
def meeting(server):
    """Lets requests wait for each other: see probe.c."""
    class Meeting:
        name = f"meeting-{len(list(server.meeting.iterdir()))}"

        def wait_for(self, count):
            wait_until(lambda: len(list(server.meeting.glob(f"{self.name}.*"))) >= count,
                       f"{count} requests inside the application", 60)

        def go(self):
            (server.meeting / self.name).touch()

    meeting = Meeting()
    yield meeting
    meeting.go()


def same_session(server, browser):
    other = server.browser()
    other.cookies = dict(browser.cookies)
    return other


def test_parallel_increments_add_up(server, browser):
    change(browser, "X-Session-Set: n=0")
    browsers = [same_session(server, browser) for _ in range(REQUESTS)]
    responses = at_once([lambda other=other: change(other, "X-Session-Increment: n") for other in browsers])
    assert [response.status for response in responses] == [200] * REQUESTS
    assert not any(response.all("Set-Cookie") for response in responses)
    assert browser.get("/app/probe").session["SESSION_FIELD_N"] == str(REQUESTS)
    for other in browsers:
        other.close()


def test_parallel_fields_through_mod_session_all_stay(server, browser, meeting):
    """All requests have read the session before the first one saves: mod_session saves the whole of what it has read."""
    change(browser, "X-Session-Set: before=1")
    browsers = [same_session(server, browser) for _ in range(REQUESTS)]

    def set_one(index):
        return change(browsers[index], f"X-Replace-Session: key{index}=value{index}", "/legacy/probe",
                      wait=meeting.name)

    def release():
        meeting.wait_for(REQUESTS)
        meeting.go()

    responses = at_once([lambda index=index: set_one(index) for index in range(REQUESTS)] + [release])[:-1]
    assert [response.status for response in responses] == [200] * REQUESTS
    session = browser.get("/app/probe").session
    missing = [index for index in range(REQUESTS) if session.get(f"SESSION_FIELD_KEY{index}") != f"value{index}"]
    assert not missing
    assert session["SESSION_FIELD_BEFORE"] == "1"
    for other in browsers:
        other.close()


@pytest.mark.parametrize("target, header", [
    ("/app/probe", "X-Session-Set: late=1"), ("/app/probe", "X-Session-Increment: late"),
    ("/legacy/probe", "X-Replace-Session: late=1")])
def test_a_late_save_does_not_bring_a_session_back(server, browser, meeting, target, header):
    log_in(browser)
    old_id = browser.id
    slow = same_session(server, browser)

    def save_late():
        return slow.get(probe_target(target, header=header, wait=meeting.name))

    def log_out():
        meeting.wait_for(1)
        response = browser.get("/logout")
        meeting.go()
        return response

    late, logout = at_once([save_late, log_out])
    assert logout.status == 307
    assert not late.all("Set-Cookie"), late
    old = [("Cookie", f"__Host-id={old_id}")]
    assert browser.get("/member/index.html", old).status == 401
    response = browser.get("/app/probe", old)
    assert response.session["SESSION_STATE"] == "none"
    slow.close()


def test_parallel_first_requests_of_one_session_load_it_once(server, browser):
    """A session that only the store has: however many ask, one load."""
    change(browser, "X-Session-Set: theme=dark")
    server.flush()
    server.stop()
    (server.instance / "l1.cache").unlink()
    server.start()
    before = int(server.status()["loads"])
    browsers = [same_session(server, browser) for _ in range(40)]
    responses = at_once([lambda other=other: other.get("/app/probe") for other in browsers])
    assert [response.session["SESSION_FIELD_THEME"] for response in responses] == ["dark"] * 40
    assert int(server.status()["loads"]) == before + 1
    for other in browsers:
        other.close()
