# SPDX-License-Identifier: Apache-2.0
"""Fixtures: servers that start with a test and leave nothing behind, with their logs in the report of what failed."""
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from harness import build
from harness.httpd import Httpd, make_folder

MPMS = ["prefork", "worker", "event"]


def pytest_report_header():
    return [f"build: {build.BUILD}", f"httpd: {build.HTTPD}, php-fpm: {build.php_fpm() or 'none'}"]


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """The C CGI, compiled once."""
    target = tmp_path_factory.mktemp("probe") / "probe"
    build.compile_c(build.APPLICATIONS / "probe.c", target)
    return target


class Servers:
    """Makes servers, each in its own folder, and takes care of their end."""

    all_made = []

    def __init__(self, probe):
        self.probe = probe
        self.running = []
        Servers.all_made.append(self)

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
        for server in self.running:
            left += server.clean_up()
            crashes += server.crashes()
            shutil.rmtree(server.folder)
        self.running = []
        assert not left, f"processes left behind: {left}"
        assert not crashes, "\n".join(crashes)


@pytest.fixture
def servers(probe):
    servers = Servers(probe)
    yield servers
    servers.clean_up()


@pytest.fixture(scope="module", params=MPMS)
def server(request, probe):
    """One server for a file, under each MPM in turn: for tests that only look at what they made themselves."""
    servers = Servers(probe)
    yield servers.start(request.param, php=build.php_fpm() is not None)
    servers.clean_up()


@pytest.fixture
def browser(server):
    browser = server.browser()
    yield browser
    server.browsers.remove(browser)
    browser.close()


@pytest.fixture
def as_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failing test shows what its servers had to say."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        report.sections += [section for servers in Servers.all_made for section in servers.reports()]
