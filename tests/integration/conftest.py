# SPDX-License-Identifier: Apache-2.0
"""Fixtures: servers that start with a test and leave nothing behind, with their logs in the report of what failed."""
import os
import signal
import subprocess

import pytest

from harness import build
from harness.alone import Alone
from harness.demo import Demo
from harness.findings import Findings
from harness.gateway import Gateway
from harness.sanitizers import Sanitizers
from harness.servers import MPMS, Servers

# Whoever starts the tests in the background of a script has them ignore it, and all that they start with them.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header():
    return [f"build: {build.BUILD}, programs: {build.PROGRAMS}", f"httpd: {build.HTTPD}, php-fpm: {build.php_fpm() or 'none'}"]


def pytest_configure(config):
    config.addinivalue_line("markers", "backends: needs a database server; left out by BACKENDS=none")


# Files that run beside others: the last one to begin should not be the one that takes a minute.
LONGEST_FIRST = ["store_faults", "store_postgresql", "pressure", "bench", "shared_store", "store_restarts", "migrate",
                 "store_mysql", "coherence", "store_redis", "daemon_life", "restarts", "store_redis_cluster", "browser"]


def rank(item):
    name = item.path.stem.removeprefix("test_")
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_collection_modifyitems(items):
    items.sort(key=rank)
    if os.environ.get("SF_BACKENDS") == "none":
        for item in items:
            if item.get_closest_marker("backends"):
                item.add_marker(pytest.mark.skip(reason="left out: --with-backends=none"))


@pytest.fixture(scope="session", autouse=True)
def sanitizers():
    made = Sanitizers()
    yield made
    reports = made.take_reports()
    made.close()
    assert not reports, reports


@pytest.fixture(autouse=True)
def nothing_for_sanitizers_to_report(sanitizers):
    """Looked at when the servers of the test have ended."""
    yield
    reports = sanitizers.take_reports()
    assert not reports, reports


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """The C CGI, compiled once; and without a build no test begins."""
    build.module()
    build.program("session-fastd", "session_daemon")
    target = tmp_path_factory.mktemp("probe") / "probe"
    build.compile_c(build.APPLICATIONS / "probe.c", target)
    return target


@pytest.fixture
def store():
    """Runs "session-fast store" with the state folder of a daemon; exit status, output, errors."""
    def run(daemon, *words, lines="", as_json=False):
        program = build.program("session-fast", "command_line")
        done = subprocess.run([program, "-i", daemon.folder, *(["--json"] if as_json else []), "store", *words],
                              input=lines, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr
    return run


@pytest.fixture
def check(alone, store):
    """Runs "session-fast store check" without a daemon; exit status and findings."""
    daemon = alone()

    def run(url):
        code, text, errors = store(daemon, "check", url, as_json=True)
        assert errors == "", errors
        return code, Findings(text)
    return run


@pytest.fixture
def doctor():
    """Runs "session-fast doctor" on the configuration of a daemon; exit status and findings."""
    def run(daemon):
        done = subprocess.run([build.program("session-fast", "command_line"), "--json", "doctor", daemon.config],
                              capture_output=True, text=True, timeout=60)
        assert done.stderr == "", done.stderr
        return done.returncode, Findings(done.stdout)
    return run


@pytest.fixture
def servers(probe):
    with Servers(probe) as servers:
        yield servers


@pytest.fixture(scope="module", params=MPMS)
def server(request, probe):
    """One server for a file, under each MPM in turn: for tests that only look at what they made themselves."""
    with Servers(probe) as servers:
        yield servers.start(request.param, php=build.php_fpm() is not None)


@pytest.fixture
def browser(server):
    browser = server.browser()
    yield browser
    server.browsers.remove(browser)
    browser.close()


@pytest.fixture
def alone():
    """Makes daemons without httpd, for the test to start."""
    made = []

    def make(*arguments, **options):
        made.append(Alone(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        print(one.log_text())
        one.clean_up()


@pytest.fixture
def daemon(alone):
    return alone().start()


@pytest.fixture
def demo():
    """Starts ./demo with the given arguments."""
    made = []

    def start(*arguments):
        made.append(Demo(*arguments))
        return made[-1]

    yield start
    for one in made:
        one.close()


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


@pytest.fixture
def gateways(probe):
    made = []

    def make(*arguments, **options):
        made.append(Gateway(*arguments, probe=probe, **options))
        return made[-1]

    yield make
    for one in made:
        print(one.report())
        one.clean_up()


@pytest.fixture
def gateway(gateways):
    """Without nginx: for what is said on its socket."""
    return gateways().start(nginx=False)
