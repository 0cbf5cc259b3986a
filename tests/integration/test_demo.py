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
    """Each has its own folder and port."""
    first, second = demo(), demo()
    assert first.wait_for_url() != second.wait_for_url()


def test_unknown_argument(demo):
    wrong = demo("--what")
    assert wrong.process.wait(10) == 1
    assert "--help" in wrong.text()
