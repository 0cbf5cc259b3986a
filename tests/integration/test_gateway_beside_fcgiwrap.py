# SPDX-License-Identifier: Apache-2.0
"""
What fcgiwrap, which runs CGI programs behind nginx, gets wrong and session-fast-gateway gets right: the same request
to both, for the same program.
"""
import select

import pytest

from harness import fastcgi
from harness.fcgiwrap import LOCATION, PROGRAM, Fcgiwrap
from harness.gateway import ENVIRONMENT, ask, environment, processes_of
from harness.waiting import wait_until

MEGABYTE = 1 << 20
SOON = 0.5  # seconds in which nothing comes


@pytest.fixture
def both(gateways):
    """Makes a gateway, with such lines, and a fcgiwrap behind the same nginx: /cgi/NAME and /wrapped/NAME."""
    if not PROGRAM:
        pytest.skip("fcgiwrap is not installed")
    made = []

    def start(lines="", programs=None):
        gateway = gateways(lines, location=LOCATION)
        for name, text in programs.items():
            gateway.script(name, "#!/bin/sh\n" + text)
        made.append(Fcgiwrap(gateway.folder))
        return gateway.start(), made[-1]

    yield start
    for one in made:
        one.clean_up()


def request(gateway, name, said="", **options):
    """As bytes, the same for both; `said` is what the program finds in QUERY_STRING."""
    variables = {"SCRIPT_FILENAME": f"{gateway.folder}/cgi/{name}", "QUERY_STRING": said}
    return fastcgi.request(f"/cgi/{name}", variables, **options)


def answers(gateway, wrapped, name, **options):
    """The one's and the other's."""
    result = []
    for server in (gateway, wrapped):
        with fastcgi.Client(server.socket) as client:
            client.send(request(gateway, name, **options))
            result.append(client.answer())
    return result


def says_nothing(client):
    return not select.select([client.socket], [], [], SOON)[0]


# ---- bodies

def test_program_that_does_not_read_its_input_is_answered(both):
    gateway, _ = both(programs={"deaf.sh": "printf 'A: 1\\n\\ndone'\n"})
    browser = gateway.browser()
    response = browser.request("POST", "/cgi/deaf.sh", body=b"x" * MEGABYTE)
    assert response.status == 200 and response.body == b"done"
    assert browser.request("POST", "/wrapped/deaf.sh", body=b"x" * MEGABYTE).status == 502


def test_program_that_answers_before_it_reads_does_not_wait_for_ever(both):
    gateway, wrapped = both(programs={"early.sh": "printf 'A: 1\\n\\n'\nhead -c 1048576 /dev/zero\nwc -c\n"})
    browser = gateway.browser()
    response = browser.request("POST", "/cgi/early.sh", body=b"x" * MEGABYTE)
    assert response.status == 200 and response.body == b"\0" * MEGABYTE + b"1048576\n"
    # Both write and neither reads: nginx gives up, they do not.
    assert browser.request("POST", "/wrapped/early.sh", body=b"x" * MEGABYTE).status == 504
    assert processes_of(wrapped, "head")


def test_events_arrive_as_they_are_written(both):
    gateway, wrapped = both(programs={
        "events.sh": "printf 'A: 1\\n\\nfirst\\n'\necho > {folder}/meeting/$QUERY_STRING\n"
                     "while [ ! -e {folder}/meeting/go ]; do sleep 0.01; done\n"})
    with fastcgi.Client(gateway.socket) as ours, fastcgi.Client(wrapped.socket) as theirs:
        theirs.send(request(gateway, "events.sh", "theirs"))
        ours.send(request(gateway, "events.sh", "ours"))
        seen = b""
        for _, _, content in ours.records():
            seen += content
            if b"first\n" in seen:
                break
        wait_until((gateway.folder / "meeting/theirs").exists, "the other program to have written")
        assert says_nothing(theirs)
        (gateway.folder / "meeting/go").touch()
        assert b"first\n" in theirs.answer().output


# ---- programs that do not end

def test_silent_program_is_ended(both):
    gateway, wrapped = both("GatewayTimeout 300ms", {
        "silent.sh": "while [ ! -e {folder}/meeting/go ]; do sleep 0.01; done\nprintf 'A: 1\\n\\nlate'\n"})
    with fastcgi.Client(wrapped.socket) as client:
        client.send(request(gateway, "silent.sh"))
        assert ask(gateway, "/cgi/silent.sh").head.startswith("Status: 504 ")
        wait_until(lambda: not processes_of(gateway, "silent.sh"), "our program to be ended")
        assert processes_of(wrapped, "silent.sh") and says_nothing(client)
        (gateway.folder / "meeting/go").touch()
        assert client.answer().output.endswith(b"late")


def test_client_that_goes_away_ends_the_program(both):
    gateway, wrapped = both(programs={
        "long.sh": "while [ ! -e {folder}/meeting/go ]; do sleep 0.01; done\necho > {folder}/meeting/$QUERY_STRING\n"})
    for server, said in ((gateway, "ours"), (wrapped, "theirs")):
        with fastcgi.Client(server.socket) as client:
            client.send(request(gateway, "long.sh", said))
            wait_until(lambda: processes_of(server, "long.sh"), "the program to begin")
    wait_until(lambda: not processes_of(gateway, "long.sh"), "our program to be ended", 1)
    (gateway.folder / "meeting/go").touch()
    wait_until((gateway.folder / "meeting/theirs").exists, "the other program to have worked for nobody")
    assert not (gateway.folder / "meeting/ours").exists()


def test_program_that_is_given_up_is_killed(both):
    """fcgiwrap wants to, with the arguments of kill() the wrong way round."""
    gateway, wrapped = both(programs={"stuck.sh": "printf 'A: 1\\n\\n'\nyes | head -c 1048576\nexec sleep 60\n"})
    for server in (gateway, wrapped):
        with fastcgi.Client(server.socket) as client:
            client.send(request(gateway, "stuck.sh"))
            assert client.socket.recv(1)
    wait_until(lambda: not processes_of(gateway, "stuck.sh") + processes_of(gateway, "sleep"), "ours to be killed", 1)
    assert ask(wrapped, "/cgi/none").status == (0, 0)  # it has turned to the next
    wait_until(lambda: processes_of(wrapped, "sleep"), "the other to go on")


# ---- who holds up others

def holds_up_fcgiwrap_only(gateway, wrapped, connect):
    """`connect` leaves a connection open: behind it others are served, by fcgiwrap when it is closed."""
    for server in (gateway, wrapped):
        with fastcgi.Client(server.socket) as held, fastcgi.Client(server.socket) as other:
            connect(held)
            other.send(request(gateway, "e.sh"))
            if server is wrapped:
                assert says_nothing(other)
                held.socket.close()
            assert other.answer().status == (0, 0)


def test_idle_connection_does_not_hold_up_others(both):
    gateway, wrapped = both("GatewayThreads 1\nGatewayQueueTime 10s", {"e.sh": "printf 'A: 1\\n\\n'\n"})

    def keep(client):
        client.send(request(gateway, "e.sh", keep=True))
        assert client.answer().status == (0, 0)

    holds_up_fcgiwrap_only(gateway, wrapped, keep)


def test_silent_connection_does_not_hold_up_others(both):
    gateway, wrapped = both("GatewayThreads 1\nGatewayQueueTime 10s", {"e.sh": "printf 'A: 1\\n\\n'\n"})
    holds_up_fcgiwrap_only(gateway, wrapped, lambda client: client.send(fastcgi.begin()))


def test_who_waits_too_long_is_told_to_come_again(both):
    gateway, wrapped = both("GatewayThreads 1\nGatewayQueueTime 100ms", {
        "long.sh": "while [ ! -e {folder}/meeting/go ]; do sleep 0.01; done\nprintf 'A: 1\\n\\n'\n"})
    with fastcgi.Client(gateway.socket) as ours, fastcgi.Client(wrapped.socket) as theirs:
        for client in (ours, theirs):
            client.send(request(gateway, "long.sh"))
        for server in (gateway, wrapped):
            wait_until(lambda: processes_of(server, "long.sh"), "the program to begin")
        answer = ask(gateway, "/cgi/long.sh")
        assert answer.head.startswith("Status: 503 ") and "Retry-After: 1" in answer.head
        with fastcgi.Client(wrapped.socket) as other:
            other.send(request(gateway, "long.sh"))
            assert says_nothing(other)
            (gateway.folder / "meeting/go").touch()
            assert other.answer().status == theirs.answer().status == ours.answer().status == (0, 0)


# ---- what is passed on

@pytest.mark.parametrize("text", ["no header\\n\\nbody", "Content-Length: 3\\nContent-Length: 5\\n\\nabcde",
                                  "A: %s\\n\\nbody"], ids=["malformed", "two lengths", "endless"])
def test_headers_that_are_bad_do_not_go_on(both, text):
    gateway, wrapped = both(programs={"bad.sh": f"printf '{text}' $(head -c 100000 /dev/zero | tr '\\0' x)\n"})
    ours, theirs = answers(gateway, wrapped, "bad.sh")
    assert ours.head.startswith("Status: 502 ")
    assert theirs.output.endswith((b"body", b"abcde")) and theirs.status == (0, 0)


def test_exit_status_is_told(both):
    gateway, wrapped = both(programs={"fails.sh": "printf 'A: 1\\n\\nhalf'\nexit 3\n"})
    ours, theirs = answers(gateway, wrapped, "fails.sh")
    assert ours.status == (3, 0) and "fails.sh: ended with exit status 3" in gateway.log_text()
    assert theirs.status == (0, 0) and "fails.sh" not in wrapped.log.read_text()


def test_environment_of_the_server_is_not_the_programs(both):
    gateway, wrapped = both(programs={"e.sh": "printf 'A: 1\\r\\n\\r\\n'\nenv -0\n"})
    ours, theirs = answers(gateway, wrapped, "e.sh")
    assert "SECRET_OF_THE_GATEWAY" not in environment(ours) and "SECRET_OF_THE_GATEWAY" in environment(theirs)


def test_proxy_of_a_client_is_not_the_programs(both):
    gateway, _ = both(programs={"e.sh": "printf 'A: 1\\r\\n\\r\\n'\nenv -0\n"})
    browser = gateway.browser()
    assert "HTTP_PROXY" not in browser.get("/cgi/e.sh", [("Proxy", "evil")]).variables
    assert "HTTP_PROXY" in browser.get("/wrapped/e.sh", [("Proxy", "evil")]).variables


def test_background_work_does_not_hold_the_answer_up(both):
    gateway, wrapped = both(programs={
        "leaves.sh": "printf 'A: 1\\n\\nbody'\n{ echo > {folder}/meeting/began_$QUERY_STRING\n"
                     "while [ ! -e {folder}/meeting/go ]; do sleep 0.01; done; } &\n"})
    assert ask(gateway, "/cgi/leaves.sh").body == b"body"
    with fastcgi.Client(wrapped.socket) as client:
        client.send(request(gateway, "leaves.sh", "theirs"))
        wait_until((gateway.folder / "meeting/began_theirs").exists, "the program to begin")
        assert says_nothing(client)
        (gateway.folder / "meeting/go").touch()
        assert client.answer().status == (0, 0)
