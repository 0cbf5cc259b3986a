# SPDX-License-Identifier: Apache-2.0
"""The first command of the README: ./demo."""
import os
import re
import signal
import subprocess
import tempfile

import pytest

from harness import build, processes
from harness.waiting import wait_until


class Demo:
    """./demo with what has been built already."""

    def __init__(self, *arguments):
        self.output = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([build.SOURCE / "demo", *arguments], stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True,
                                        env={**os.environ, "SF_DEMO_BUILD": str(build.BUILD)})

    def text(self):
        self.output.seek(0)
        return self.output.read()

    def find(self, pattern):
        match = re.search(pattern, self.text())
        return match and match[1]

    def wait_for_url(self):
        def ready():
            assert self.process.poll() is None, self.text()
            return self.find(r"runs at +(http://localhost:\d+)/")
        return wait_until(ready, "the demo to say where it is", 120)

    def folder(self):
        return self.find(r"(/tmp/session-fast-demo\.\w+)/")

    def interrupt(self, number=signal.SIGINT):
        """As Ctrl-C does: the signal goes to the whole process group of the terminal."""
        os.killpg(self.process.pid, number)
        self.process.wait(30)

    def close(self):
        if self.process.poll() is None:
            self.interrupt(signal.SIGTERM)
        self.output.close()


@pytest.fixture
def demo():
    made = []

    def start(*arguments):
        made.append(Demo(*arguments))
        return made[-1]

    yield start
    for one in made:
        one.close()


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
