# SPDX-License-Identifier: Apache-2.0
"""session-fast-gateway in front of php-fpm, its API and its authorizer, behind nginx."""
import json
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness import build, samples
from harness.client import Closed, Connection
from harness.gateway import Gateway
from harness.php import Php
from harness.waiting import wait_until

PROBE = build.APPLICATIONS / "probe.php"

# Waits until a file is there, after some of its answer or before any.
WAITING = """<?php
header('Content-Type: text/plain');
header('X-Session-Increment: begun');
if (isset($_GET['early'])) { echo str_repeat('x', 100000); flush(); }
while (!file_exists($_GET['until'])) { clearstatcache(); usleep(2000); }
echo 'end';
"""

GIGABYTE = 1 << 30
FLAT = 32 << 20  # of memory, whatever goes through
ZEROS = """<?php
header('Content-Type: application/octet-stream');
$part = str_repeat("\\0", 1 << 20);
for ($i = 0; $i < 1024; $i++) { echo $part; }
"""
COUNT = """<?php
$size = 0;
$body = fopen('php://input', 'rb');
while (!feof($body)) { $size += strlen(fread($body, 1 << 20)); }
echo $size;
"""

ROUTES = """
<Route /php/>
GatewayUpstream unix:{folder}/php.sock
GatewayTimeout %s
%s
</Route>
<Route /session>
GatewayApi On
GatewayApiFields lang visits
</Route>
<Route /_session_of_user>
GatewayAuthorizer On
GatewayRequire user
SessionFastDataFormat none
</Route>
"""


@pytest.fixture
def make(probe):
    made = []

    def make_one(children=4, timeout="20s", more="", locations="", location=""):
        gateway = Gateway("SessionFastCookieSecure Off\nSessionFastCookieName id\nGatewayThreads 50",
                          ROUTES % (timeout, more), probe=probe,
                          location="fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;" + location)
        configuration = (gateway.folder / "nginx.conf").read_text()
        configuration = configuration.replace("listen 127", f"root {gateway.folder};\n{locations}\nlisten 127")
        (gateway.folder / "nginx.conf").write_text(configuration)
        made.append(gateway)
        php = Php(gateway.folder, children, {"probe.php": PROBE.read_text(), "waiting.php": WAITING, "zeros.php": ZEROS,
                                           "count.php": COUNT})
        made.append(php)
        return gateway.start(), php

    yield make_one
    for one in reversed(made):
        if isinstance(one, Gateway):
            print(one.report())
        one.clean_up()


def probe_page(*headers):
    return "/php/probe.php?" + "&".join("header=" + header.replace(" ", "%20").replace("=", "%3D").replace("&", "%26")
                                       for header in headers)


# ---- the story

def test_user_story(make):
    gateway, _ = make()
    browser = gateway.browser()
    assert browser.get(probe_page()).session["SESSION_STATE"] == "none" and not browser.cookies
    browser.get(probe_page("X-Session-Set: cart=apple"))
    before = browser.cookies["id"]
    browser.get(probe_page("X-Session-Login: alice"))
    assert browser.cookies["id"] != before
    for _ in range(3):
        browser.get(probe_page("X-Session-Increment: counter"))
    browser.get(probe_page("X-Session-Append: cart= pear"))
    session = browser.get(probe_page()).session
    assert session["SESSION_USER"] == "alice" and session["SESSION_FIELD_COUNTER"] == "3"
    assert session["SESSION_FIELD_CART"] == "apple pear"
    browser.get(probe_page("X-Session-Logout: 1"))
    assert "id" not in browser.cookies
    assert browser.get(probe_page()).session["SESSION_STATE"] == "none"


def test_body_arrives_whole(make):
    gateway, php = make()
    (php.folder / "php/size.php").write_text("<?php header('X-Session-Set: size=' . strlen(file_get_contents('php://input'))); echo 'ok';")
    browser = gateway.browser()
    size = 3 * (1 << 20) + 7
    assert browser.request("POST", "/php/size.php", [("Content-Type", "application/octet-stream")],
                           b"x" * size).status == 200
    assert browser.get(probe_page()).session["SESSION_FIELD_SIZE"] == str(size)


def test_connections_are_counted(make):
    gateway, _ = make(more="GatewayUpstreamConnections 1\nGatewayUpstreamKeepAlive 1")
    for _ in range(3):
        assert gateway.browser().get(probe_page()).status == 200
    names = ("to_upstream", "upstream_connects", "upstream_reuses", "upstream_waits")

    def counted():
        return [int(gateway.status()[f"gateway_{name}"]) for name in names]

    wait_until(lambda: counted() == [3, 1, 2, 0], f"a kept connection to be counted: {counted()}")
    gate = gateway.folder / "tmp/gate"
    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(gateway.browser().get, f"/php/waiting.php?until={gate}")
        wait_until(lambda: counted()[0] == 4, "the connection to be taken")
        waiter = pool.submit(gateway.browser().get, probe_page())
        wait_until(lambda: counted()[0] == 5, "somebody to wait")
        gate.touch()
        assert holder.result().status == waiter.result().status == 200
    wait_until(lambda: counted() == [5, 1, 4, 1], f"who waited to be counted: {counted()}")


# ---- trouble

def test_dead_upstream_is_503_and_comes_back(make):
    gateway, php = make()
    browser = gateway.browser()
    browser.get(probe_page("X-Session-Login: alice"))
    php.kill()
    response = browser.get(probe_page())
    assert response.status == 503 and response.one("Retry-After") == "1"
    php.start()
    assert browser.get(probe_page()).session["SESSION_USER"] == "alice"


def test_stopped_upstream_is_504_and_comes_back(make):
    gateway, php = make(timeout="300ms")
    browser = gateway.browser()
    php.send_all(signal.SIGSTOP)
    assert browser.get(probe_page()).status == 504
    php.send_all(signal.SIGCONT)
    wait_until(lambda: browser.get(probe_page()).status == 200, "php-fpm to answer again")



def is_serving(pid):
    """A child of php-fpm has one socket to listen, and another one while it serves a request."""
    return sum(os.readlink(link).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir()) > 1


def test_upstream_that_dies_before_its_headers_is_502(make):
    gateway, php = make(children=1)
    child = php.children()[0]
    connection = Connection(gateway.port)
    connection.send("GET", f"/php/waiting.php?until={gateway.folder}/never")
    wait_until(lambda: is_serving(child.pid), "the request to arrive")
    os.kill(child.pid, signal.SIGKILL)
    assert connection.receive().status == 502
    connection.close()


def test_upstream_that_dies_in_its_answer_leaves_no_whole_one(make):
    gateway, php = make(children=1)
    child = php.children()[0]
    connection = Connection(gateway.port)
    connection.send("GET", f"/php/waiting.php?early=1&until={gateway.folder}/never")
    wait_until(lambda: is_serving(child.pid), "the request to arrive")
    assert b"200 OK" in connection.socket.recv(4096, socket.MSG_PEEK)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(Closed):
        connection.receive()
    connection.close()
    assert gateway.browser().get(probe_page()).status == 200


def test_more_clients_than_the_upstream_takes(make):
    gateway, _ = make(children=2, more="GatewayUpstreamConnections 2\nGatewayUpstreamQueue 20\n"
                                       "GatewayUpstreamQueueTime 1s")
    go_on = gateway.folder / "tmp/go"
    statuses, lock = {}, threading.Lock()

    def ask(_):
        connection = Connection(gateway.port, 60)
        response = connection.request("GET", f"/php/waiting.php?until={go_on}")
        connection.close()
        with lock:
            statuses[response.status] = statuses.get(response.status, 0) + 1
            assert response.status == 200 or response.one("Retry-After") == "1"
            if sum(statuses.values()) == 400:
                go_on.touch()

    with ThreadPoolExecutor(500) as pool:
        list(pool.map(ask, range(500)))
    assert set(statuses) == {200, 503} and sum(statuses.values()) == 500, statuses
    assert all(gateway.browser().get(probe_page()).status == 200 for _ in range(20))


# ---- the API

def test_api(make):
    gateway, _ = make()
    browser = gateway.browser()
    assert json.loads(browser.get("/session").text) == {"state": "none"}
    response = browser.request("POST", "/session", [("Content-Type", "application/json")],
                               b'{"set": {"lang": "de"}, "increment": {"visits": 2}}')
    assert response.status == 200 and json.loads(response.text)["fields"] == {"lang": "de", "visits": 2}
    assert browser.get(probe_page()).session["SESSION_FIELD_LANG"] == "de"
    assert "no-store" in response.one("Cache-Control")
    evil = browser.request("DELETE", "/session", [("Origin", "https://evil.example")])
    assert evil.status == 403 and json.loads(evil.text)["error"] == "other-origin"
    assert browser.request("DELETE", "/session", [("Sec-Fetch-Site", "same-origin")]).status == 200
    assert "id" not in browser.cookies


# ---- the authorizer

def test_nginx_asks_the_authorizer(make):
    gateway, php = make(locations=samples.text("nginx/authorizer.conf", {
        "unix:/run/session-fast-gateway.sock": "gateway", "/private/": "/php/private/"}))
    (php.folder / "php/private").mkdir()
    (php.folder / "php/private/probe.php").write_text(PROBE.read_text())
    browser = gateway.browser()
    page = "/php/private/probe.php"
    response = browser.get(page)
    assert response.status == 401 and response.one("WWW-Authenticate").startswith("Cookie ")
    browser.get(probe_page("X-Session-Set: color=red"))
    assert browser.get(page).status == 401
    browser.get(probe_page("X-Session-Login: alice"))
    response = browser.get(page)
    assert response.status == 200 and response.variables["REMOTE_USER"] == "alice"
    browser.get(probe_page("X-Session-Logout: 1"))
    assert browser.get(page, [("Variable-SESSION-USER", "root")]).status == 401


def test_gigabytes_of_php_go_through_in_little_memory(make):
    gateway, _ = make(more="GatewayPhpValues On", location="fastcgi_request_buffering off;"
                      'fastcgi_param PHP_ADMIN_VALUE "post_max_size=0";')
    gateway.browser().get("/php/probe.php")
    before = gateway.resident()[0]

    up = gateway.connection()
    up.socket.settimeout(60)
    up.send_raw(f"POST /php/count.php HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
                f"Content-Length: {GIGABYTE}\r\n\r\n".encode())
    part = b"x" * (1 << 20)
    for _ in range(1024):
        up.send_raw(part)
    assert up.receive().body == str(GIGABYTE).encode()

    down = gateway.connection()
    down.socket.settimeout(60)
    down.send_raw(b"GET /php/zeros.php HTTP/1.0\r\n\r\n")
    size = 0
    while data := down.socket.recv(1 << 20):
        size += len(data)
    assert size > GIGABYTE
    most = gateway.resident()[1]
    print(f"resident before {before >> 10} KiB, most {most >> 10} KiB, limit {(before + FLAT) >> 10} KiB")
    assert most < before + FLAT
