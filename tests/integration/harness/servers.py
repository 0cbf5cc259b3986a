# SPDX-License-Identifier: Apache-2.0
"""Servers that start for a test, or for the tests of a file, and leave nothing behind."""
import shutil
import tempfile
from pathlib import Path

import pytest

from .httpd import Httpd, make_folder


MPMS = ["prefork", "worker", "event"]


class Servers:
    """Makes servers, each in its own folder, and takes care of their end."""

    all_made = []

    def __init__(self, probe):
        self.probe = probe
        self.running = []
        Servers.all_made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.clean_up()

    def make(self, *arguments, php=False, **options):
        # Not pytest's own folder: the server's user must be able to go there, and a socket's path must be short.
        folder = Path(tempfile.mkdtemp(prefix="sf-test-"))
        folder.chmod(0o755)
        make_folder(folder, self.probe)
        server = Httpd(folder, *arguments, **options)
        self.running.append(server)
        if php and not server.start_php():
            pytest.skip("php-fpm is not installed")
        return server

    def start(self, *arguments, **options):
        return self.make(*arguments, **options).start()

    def reports(self):
        return [(f"server {server.folder.name}", server.report()) for server in self.running]

    def clean_up(self):
        left, crashes = [], []
        for server in reversed(self.running):  # a later one may run the daemon in the folder of an earlier one
            left += server.clean_up()
            crashes += server.crashes()
            shutil.rmtree(server.folder)
        self.running = []
        assert not left, f"processes left behind: {left}"
        assert not crashes, "\n".join(crashes)
