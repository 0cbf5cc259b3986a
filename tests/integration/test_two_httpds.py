# SPDX-License-Identifier: Apache-2.0
"""Two hosts, each with an httpd, a cache and a daemon of its own, and one Redis: what a browser is on one of them it is on the other."""
import os
import shutil

import pytest

from harness.history import assert_in_time
from harness.redis import Redis
from harness.site import change, log_in
from harness.waiting import wait_until

pytestmark = pytest.mark.backends
LINES = 'SessionFastStore "{url}"\nSessionFastDurability store\n'
PAGE = "/member/index.html"


@pytest.fixture
def redis():
    server = Redis().start()
    yield server
    server.clean_up()


@pytest.fixture
def hosts(servers, redis):
    """The second one is given the secret of the first one, as an administrator would."""
    lines = LINES.format(url=redis.tcp_url())
    one, other = (servers.make("event", instance=lines) for _ in range(2))
    one.start()
    owner = one.instance.stat()
    other.instance.mkdir(mode=0o750, exist_ok=True)
    shutil.copy(one.instance / "secret.keys", other.instance / "secret.keys")
    for path in other.instance, other.instance / "secret.keys":
        os.chown(path, owner.st_uid, owner.st_gid)
    other.start()
    for host in one, other:
        wait_until(lambda: host.status()["news_state"] == "up", "news to be up", 20)
    return one, other


def visitor(browser, host):
    """The same browser, as the balancer sends it to that host."""
    there = host.browser()
    there.cookies = browser.cookies
    return there


def test_one_browser_on_two_hosts(hosts):
    one, other = hosts
    here = one.browser()
    there = visitor(here, other)
    for pages in range(1, 6):
        browser = here if pages % 2 else there
        assert change(browser, "X-Session-Increment: pages").status == 200
        assert browser.get("/app/probe").session["SESSION_FIELD_PAGES"] == str(pages)
    anonymous = here.id
    assert log_in(here).status == 302 and here.id != anonymous
    assert there.get("/app/probe").session["SESSION_USER"] == "alice"
    assert there.get("/app/probe").session["SESSION_FIELD_PAGES"] == "5"
    assert there.get(PAGE).status == 200
    known = [("Cookie", f"__Host-id={here.id}")]
    assert here.get("/logout").status == 307
    stranger = other.browser()
    assert_in_time(other, lambda: stranger.get(PAGE, known).status == 401, "a logout is seen late")
    assert one.browser().get(PAGE, known).status == 401
