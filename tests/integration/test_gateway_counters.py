# SPDX-License-Identifier: Apache-2.0
"""What the gateway counts: every request once by its result, and what it took to answer it."""
from harness import fastcgi
from harness.gateway import ask, processes_of
from harness.waiting import wait_until

ROUTES = """<Route /cgi/>
GatewayCgiDirectory {folder}/cgi
</Route>
<Route /session>
GatewayApi On
</Route>
<Route /private/>
GatewayAuthorizer On
SessionFastDataFormat none
</Route>"""

SILENT = "#!/bin/sh\nexec sleep 1000\n"


def counters(gateway):
    """Those of the gateway that are not 0; but for the time, which is different each time."""
    return {name.removeprefix("gateway_"): int(value) for name, value in gateway.status().items()
            if name.startswith("gateway_") and name != "gateway_busy_ms" and int(value) > 0}


def assert_counted(gateway, **expected):
    """A request is counted behind its answer."""
    wait_until(lambda: counters(gateway) == expected, f"{expected}; at first {counters(gateway)}")


def test_each_request_has_one_result(gateways):
    gateway = gateways("GatewayTimeout 300ms", ROUTES)
    gateway.script("bad.sh", "#!/bin/sh\necho none\n")
    gateway.script("silent.sh", SILENT)
    gateway.script("half.sh", "#!/bin/sh\nprintf 'A: 1\\n\\nbegin'\nexec sleep 1000\n")
    gateway.script("here.sh", "#!/bin/sh\nprintf 'Location: /cgi/probe\\n\\n'\n")
    gateway.start(nginx=False)
    assert ask(gateway, "/cgi/probe").status == (0, 0)
    assert_counted(gateway, requests=1, answered=1, to_cgi=1, programs=1)
    for path, status in {"/cgi/here.sh": 200, "/session": 200, "/private/x": 401, "/nowhere": 404, "/cgi/bad.sh": 502,
                         "/cgi/silent.sh": 504}.items():
        assert ask(gateway, path, {"SESSION_GATEWAY_MODE": "authorize"} if "private" in path else {}).head.startswith(
            f"Status: {status} "), path
    assert ask(gateway, "/cgi/half.sh").status is None
    assert_counted(gateway, requests=8, answered=4, answered_4xx=1, answered_502=1, answered_504=1, broken_off=1,
                   to_cgi=6, to_api=1, to_authorizer=1, programs=6, programs_killed=3)
    assert 600 <= int(gateway.status()["gateway_busy_ms"]) < 60000


def test_who_goes_away_and_who_is_none_is_counted(gateway):
    gateway.script("silent.sh", SILENT)
    for leave in (lambda client: client.send(fastcgi.record(fastcgi.ABORT)), lambda client: client.socket.close()):
        with fastcgi.Client(gateway.socket) as client:
            client.send(fastcgi.request("/cgi/silent.sh", keep=True))
            wait_until(lambda: processes_of(gateway, "sleep"), "the program to run")
            leave(client)
            wait_until(lambda: not processes_of(gateway, "sleep"), "the program to end")
    with fastcgi.Client(gateway.socket) as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert client.is_closed()
    assert_counted(gateway, requests=2, aborted=2, to_cgi=2, programs=2, programs_killed=2, intruders=1)


def test_threads_at_their_limit_are_counted(gateways):
    gateway = gateways("GatewayThreads 1\nGatewayQueueTime 100ms")
    gateway.script("silent.sh", SILENT)
    gateway.start(nginx=False)
    with fastcgi.Client(gateway.socket) as client:
        client.send(fastcgi.request("/cgi/silent.sh"))
        wait_until(lambda: processes_of(gateway, "sleep"), "the program to run")
        before = counters(gateway).get("queued", 0)  # it may have come before the thread did
        assert ask(gateway, "/cgi/probe").head.startswith("Status: 503 ")
        assert_counted(gateway, requests=1, answered_503=1, queued=before + 1, turned_away=1, to_cgi=1, programs=1)


def test_bytes_that_wait_in_a_file_are_counted(gateway):
    """The answer waits for the end of the body."""
    gateway.script("early.sh", "#!/bin/sh\nprintf 'A: 1\\n\\n'\nhead -c 300000 /dev/zero\ncat > /dev/null\n")
    request = fastcgi.request("/cgi/early.sh", body=b"x" * 1000)
    with fastcgi.Client(gateway.socket) as client:
        client.send(request[:-8])
        wait_until(lambda: gateway.spooled() >= 300000 - 65536, "the answer to wait in a file")
        client.send(request[-8:])
        assert len(client.answer().body) == 300000
    wait_until(lambda: counters(gateway).get("spooled_bytes", 0) >= 300000 - 65536, "the bytes to be counted")
