# SPDX-License-Identifier: Apache-2.0
"""A running ./demo."""
import os
import re
import signal
import subprocess
import tempfile

from . import build
from .waiting import wait_until


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

    def url_of_nginx(self):
        return self.find(r"same pages +(http://localhost:\d+)/")

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
