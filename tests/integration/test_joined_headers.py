# SPDX-License-Identifier: Apache-2.0
"""
httpd joins headers of one name that CGI and FastCGI applications send, and leaves those of proxied servers apart: an
application must not have to know.
"""
import pytest

from harness import build
from harness.backend import Backend
from harness.servers import Servers
from harness.site import probe_target

SITE = """
ProxyPass "/proxy/" "http://127.0.0.1:%d/"
<Location "/proxy/">
    SessionFast On
</Location>
"""


@pytest.fixture(scope="module", params=["prefork", "worker", "event"])
def server(request, probe):
    with Servers(probe) as servers, Backend() as backend:
        yield servers.start(request.param, extra=SITE % backend.port, php=build.php_fpm() is not None)


@pytest.fixture(params=["/app/probe", "/php/probe.php", "/proxy/"])
def answers(request, server, browser):
    """Lets the application behind one way answer with these headers; the response's status."""
    if request.param.startswith("/php/") and server.php is None:
        pytest.skip("php-fpm is not installed")
    return lambda *headers: browser.get(probe_target(request.param, header=headers)).status


def fields(browser):
    session = browser.get("/app/probe").session
    return {name[len("SESSION_FIELD_"):]: value for name, value in session.items() if name.startswith("SESSION_FIELD_")}


def test_each_header_counts(browser, answers):
    assert answers("X-Session-Set: a=1", "X-Session-Set: b=2%2C3", "X-Session-Increment: n", "X-Session-Increment: n=2",
                   "X-Session-Append: log=x", "X-Session-Append: log=y") == 200
    assert fields(browser) == {"A": "1", "B": "2,3", "N": "3", "LOG": "xy"}
    assert answers("X-Session-Unset: a", "X-Session-Unset: b", "X-Session-Unset: n") == 200
    assert fields(browser) == {"LOG": "xy"}
    assert answers("X-Session-Replace: c=1", "X-Session-Replace: d=2") == 200
    assert fields(browser) == {"C": "1", "D": "2"}


def test_a_bare_comma_separates_on_every_way(browser, answers):
    assert answers("X-Session-Set: a=1 , b=2,c=3") == 200
    assert fields(browser) == {"A": "1", "B": "2", "C": "3"}


@pytest.mark.parametrize("headers", [["alice", "bob"], ["alice, bob"], ["alice,"]])
def test_who_logs_in_is_certain_or_nobody_does(browser, answers, headers):
    assert answers(*(f"X-Session-Login: {user}" for user in headers)) == 500
    assert browser.id is None


def test_an_encoded_comma_belongs_to_the_name(browser, answers):
    assert answers("X-Session-Login: Doe%2C%20Jane") == 200
    assert browser.get("/app/probe").session["SESSION_USER"] == "Doe, Jane"
