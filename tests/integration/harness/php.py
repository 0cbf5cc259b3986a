# SPDX-License-Identifier: Apache-2.0
"""A private php-fpm for the gateway's tests."""
import os
import signal
import socket
import subprocess

from . import build, processes
from .waiting import wait_until


class Php:
    """php-fpm on <folder>/php.sock, with `children` processes; `pages`, their texts by name, lie in <folder>/php."""

    def __init__(self, folder, children, pages):
        self.folder = folder
        (folder / "php").mkdir()
        for name, text in pages.items():
            (folder / "php" / name).write_text(text)
        user = "user = www-data\ngroup = www-data\nlisten.owner = www-data\n" if os.geteuid() == 0 else ""
        (folder / "php-fpm.conf").write_text(
            f"[global]\ndaemonize = no\nerror_log = {folder}/php-fpm.log\n"
            f"[www]\n{user}listen = {folder}/php.sock\npm = static\npm.max_children = {children}\n")
        self.start()

    def start(self):
        (self.folder / "php.sock").unlink(missing_ok=True)
        with open(self.folder / "console.log", "ab") as console:
            self.process = subprocess.Popen([build.php_fpm(), "-F", "-n", "-y", self.folder / "php-fpm.conf"],
                                            stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                            start_new_session=True)
        wait_until(self._listens, "php-fpm to listen")

    def _listens(self):
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.folder / "php.sock")) == 0

    def children(self):
        return processes.children_of(self.process.pid)

    def send_all(self, number):
        for pid in [self.process.pid] + [child.pid for child in self.children()]:
            os.kill(pid, number)

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        # Its children hold the socket, too, and they may go after it.
        wait_until(lambda: not self._listens(), "php-fpm to go")

    def clean_up(self):
        if self.process.poll() is None:
            self.kill()
