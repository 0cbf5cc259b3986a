# SPDX-License-Identifier: Apache-2.0
"""Whatever is restarted or killed: nobody is logged out, no change is lost."""
import time

import pytest

from harness.load import Load
from harness.processes import living, send
from harness.servers import MPMS
from harness.site import log_in, probe_target
from harness.waiting import wait_until

SIGKILL = 9


@pytest.fixture(params=MPMS)
def server(request, servers):
    return servers.start(request.param, php=True)


def count(browser):
    return int(browser.get("/app/probe").session["SESSION_FIELD_N"])


def add_one(browser):
    response = browser.get(probe_target("/app/probe", header="X-Session-Increment: n"))
    assert response.status == 200, response
    assert response.session["SESSION_USER"] == "alice"


def test_graceful_under_load(server):
    daemon = server.daemon_pid()
    with Load(server) as load:
        for _ in range(3):
            server.graceful()
            load.wait_for_answers(5)
    load.check()
    assert server.daemon_pid() == daemon


def test_restart_under_load(server):
    daemon = server.daemon_pid()
    with Load(server) as load:
        server.restart()
        load.wait_for_answers(5)
    load.check()
    assert server.daemon_pid() == daemon


def test_killed_children_under_load(server):
    with Load(server) as load:
        for _ in range(4):
            victims = server.workers()
            send(victims[0].pid, SIGKILL)
            wait_until(lambda: victims[0].pid not in {worker.pid for worker in server.workers()}, "a child to die")
            load.wait_for_answers(5)
    load.check()


def test_killed_daemon_under_load(server):
    with Load(server) as load:
        for _ in range(3):
            old = server.daemon_pid()
            began = time.monotonic()
            send(old, SIGKILL)
            load.wait_for_answers(2)
            wait_until(lambda: server.daemon_pid() not in (None, old), "a new daemon")
            assert time.monotonic() - began < 1.0
            load.wait_for_answers(5)
    load.check()


def test_stop_and_start(server):
    browser = server.browser()
    log_in(browser)
    add_one(browser)
    server.stop()
    wait_until(lambda: not server.daemon_processes(), "the daemon to end with httpd")
    server.start()
    assert count(browser) == 1
    add_one(browser)
    assert count(browser) == 2


def test_stop_and_start_without_the_cache(server):
    """After a reboot the run folder is empty: the store has everything."""
    browser = server.browser()
    log_in(browser)
    add_one(browser)
    server.stop()
    wait_until(lambda: not server.daemon_processes(), "the daemon to end with httpd")
    (server.instance / "l1.cache").unlink()
    server.start()
    assert count(browser) == 1
    assert browser.get("/member/index.html").status == 200


def test_killed_tree_then_start(server):
    browser = server.browser()
    log_in(browser)
    for _ in range(7):
        add_one(browser)
    server.kill_everything()
    server.start()
    assert count(browser) == 7
    assert browser.get("/member/index.html").status == 200
    add_one(browser)
    server.flush()
    assert count(browser) == 8


def test_killed_tree_under_load(server):
    """Every change that was acknowledged is still there."""
    with Load(server) as load:
        server.kill_everything()
        server.start()
        load.wait_for_answers(5)
    load.check()


def test_killed_httpd_alone_then_start(server):
    """The parent dies, its daemon may live on: the next start works with it or after it."""
    browser = server.browser()
    log_in(browser)
    add_one(browser)
    server.parent.kill()
    server.parent.wait(10)
    for process in living(server.tree()):
        if process.name.startswith("apache2"):
            send(process.pid, SIGKILL)
    wait_until(lambda: not [process for process in server.tree() if process.name.startswith("apache2")], "httpd to go")
    server.start()
    assert count(browser) == 1
    add_one(browser)
    assert count(browser) == 2
    wait_until(lambda: len(server.daemon_processes()) == 1, "one daemon only")


def test_changed_configuration_reaches_the_daemon(server):
    old = server.daemon_pid()
    browser = server.browser()
    log_in(browser)
    add_one(browser)
    server.write_configuration(instance="SessionFastFlushDelay 2s")
    server.restart()
    wait_until(lambda: server.daemon_pid() not in (None, old), "a new daemon", 20)
    assert len(server.daemon_processes()) == 1
    assert count(browser) == 1
