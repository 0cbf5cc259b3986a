# SPDX-License-Identifier: Apache-2.0
"""The first command of the README: ./demo."""
import os
import signal

import pytest

from harness import processes


def test_once(demo):
    tour = demo("--once")
    assert tour.process.wait(180) == 0, tour.text()
    assert "BAD" not in tour.text()
    assert "steps did what they should" in tour.text()
    assert not processes.of_instance(tour.folder(), tour.process.pid)
    assert not os.path.exists(tour.folder())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ends_and_leaves_nothing(demo, number):
    running = demo()
    running.wait_for_url()
    folder = running.folder()
    assert processes.of_instance(folder)
    running.interrupt(number)
    assert running.process.returncode != 0
    assert not processes.of_instance(folder), running.text()
    assert not os.path.exists(folder)


def test_two_at_once(demo):
    """Each has its own folder and ports."""
    first, second = demo(), demo()
    urls = {first.wait_for_url(), second.wait_for_url(), first.url_of_nginx(), second.url_of_nginx()}
    assert len(urls) == 4


@pytest.mark.parametrize("program, name", [("apache2", "httpd"), ("nginx", "nginx"), ("session-fast-ga", "gateway")])
def test_a_server_that_is_killed_ends_it(demo, program, name):
    running = demo()
    running.wait_for_url()
    folder = running.folder()
    servers = processes.children_of(running.process.pid)
    os.kill(next(server.pid for server in servers if server.name == program), signal.SIGKILL)
    assert running.process.wait(30) == 1
    assert f"{name} has ended" in running.text()
    assert not [process for server in servers for process in processes.of_instance(folder, server.pid)], running.text()


def test_unknown_argument(demo):
    wrong = demo("--what")
    assert wrong.process.wait(10) == 1
    assert "--help" in wrong.text()
