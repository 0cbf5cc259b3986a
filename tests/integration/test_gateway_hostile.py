# SPDX-License-Identifier: Apache-2.0
"""session-fast-gateway against CGI programs and web servers that mean it harm, or do it by mistake."""
import os
import select
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import build, fastcgi
from harness.gateway import ENVIRONMENT, ask, environment, processes_of
from harness.waiting import wait_until

GET_VALUES = 9


# ---- programs

@pytest.mark.parametrize("text", ["printf 'no header\\n'; exec yes", "exec yes 'A: b'"])
def test_program_whose_headers_were_refused_is_ended(gateway, text):
    gateway.script("endless.sh", f"#!/bin/sh\n{text}\n")
    answer = ask(gateway, "/cgi/endless.sh")
    assert answer.head.startswith("Status: 502 ") and answer.status == (0, 0)
    wait_until(lambda: not processes_of(gateway, "yes"), "the program to go", 1)


def test_errors_of_the_background_do_not_hold_the_answer_up(gateway):
    gateway.script("noisy.sh", "#!/bin/sh\nprintf 'A: 1\\n\\nbody'\nyes >&2 &\n")
    answer = ask(gateway, "/cgi/noisy.sh")
    assert answer.body == b"body" and answer.status == (0, 0)


def test_output_of_the_background_is_not_of_the_answer(gateway):
    gateway.script("noisy.sh", "#!/bin/sh\nprintf 'A: 1\\n\\nbody'\nfor i in 1 2 3; do cat /dev/zero & done\n")
    answer = ask(gateway, "/cgi/noisy.sh")
    assert answer.body.startswith(b"body") and answer.status == (0, 0)


def test_program_that_leaves_its_group_is_killed(gateways):
    gateway = gateways("GatewayTimeout 300ms")
    gateway.script("leave.pl", "#!/usr/bin/perl\n$SIG{TERM} = 'IGNORE';\n"
                               "setpgrp(0, getpgrp(getppid)) or die;\nsleep 1000;\n")
    gateway.start(nginx=False)
    assert ask(gateway, "/cgi/leave.pl").head.startswith("Status: 504 ")
    assert not gateway.programs("leave.pl")


def test_end_of_a_program_is_seen_without_a_handle(gateways):
    """Where the kernel gives none: what is left in the background holds nothing up."""
    gateway = gateways("GatewayTimeout 300ms")
    gateway.script("quick.sh", "#!/bin/sh\nprintf 'A: 1\\n\\nbody'\nsleep 1000 &\nexit 3\n")
    gateway.script("slow.sh", "#!/bin/sh\nexec sleep 1000\n")
    gateway.start(nginx=False, launcher=[sys.executable, build.APPLICATIONS / "without_pidfd.py"])
    answer = ask(gateway, "/cgi/quick.sh")
    assert answer.body == b"body" and answer.status == (3, 0)
    assert ask(gateway, "/cgi/slow.sh").head.startswith("Status: 504 ")


# ---- web servers

def test_questions_do_not_keep_a_connection_for_ever(gateways):
    gateway = gateways("GatewayRequestTimeout 300ms").start(nginx=False)
    question = fastcgi.record(GET_VALUES, b"", 0)
    with fastcgi.Client(gateway.socket) as client:
        def is_closed():
            try:
                client.send(question[:4])
                select.select([client.socket], [], [], 0.02)  # nothing is said to half of it
                client.send(question[4:])
                return client.socket.recv(65536) == b""
            except OSError:
                return True

        wait_until(is_closed, "it to be cut off", 5)


def test_silent_connections_give_way(gateways):
    gateway = gateways("GatewayThreads 2\nGatewayQueueTime 10s").start(nginx=False)
    with fastcgi.Client(gateway.socket), fastcgi.Client(gateway.socket):
        assert ask(gateway, "/cgi/probe").head.startswith("Status: 200 ")


def test_halves_of_requests_give_way(gateways):
    """Each thread has one; whoever asks as a whole is served all the same, long before their time is over."""
    gateway = gateways("GatewayThreads 2\nGatewayQueueTime 10s\nGatewayRequestTimeout 1h").start(nginx=False)
    half = fastcgi.request("/cgi/probe")[:40]
    with fastcgi.Client(gateway.socket) as one, fastcgi.Client(gateway.socket) as other:
        one.send(half)
        other.send(half)
        assert ask(gateway, "/cgi/probe").head.startswith("Status: 200 ")
        assert ask(gateway, "/cgi/probe").head.startswith("Status: 200 ")


def test_half_of_a_request_has_its_time(gateways):
    """However often another byte of it comes."""
    gateway = gateways("GatewayRequestTimeout 300ms").start(nginx=False)
    with fastcgi.Client(gateway.socket) as client:
        request = iter(fastcgi.request("/cgi/probe", {"A": "x" * 10000}))

        def is_cut_off():
            try:
                client.send(bytes([next(request)]))
                return bool(select.select([client.socket], [], [], 0.02)[0]) and client.is_closed()
            except OSError:
                return True

        wait_until(is_cut_off, "it to be cut off", 5)
    wait_until(lambda: gateway.count("SF0711"), "the line about it")


@pytest.mark.parametrize("is_in_params", [True, False])
def test_request_that_is_aborted_leaves_its_connection(gateway, is_in_params):
    """The program of it is ended, the web server is told so, and its next request is served."""
    gateway.script("slow.sh", "#!/bin/sh\nprintf 'A: 1\\n\\nbegin'\nexec sleep 1000\n")
    with fastcgi.Client(gateway.socket) as client:
        if is_in_params:
            client.send(fastcgi.begin(keep=True) + fastcgi.record(fastcgi.PARAMS, b"\1\1A")
                        + fastcgi.record(fastcgi.ABORT))
        else:
            client.send(fastcgi.request("/cgi/slow.sh", keep=True))
            wait_until(lambda: processes_of(gateway, "sleep"), "the program to run")
            client.send(fastcgi.record(fastcgi.ABORT))
        assert client.answer().status == (0, 0)
        assert not processes_of(gateway, "sleep")
        client.send(fastcgi.request("/cgi/probe", keep=True))
        answer = client.answer()
        assert answer.head.startswith("Status: 200 ") and answer.status == (0, 0)


@pytest.mark.parametrize("path", ["/cgi/silent.sh", "/x"])
def test_abort_that_comes_with_the_body_is_heard(gateways, path):
    """By a program, and in front of an application, that say nothing."""
    gateway = gateways(routes="<Route /cgi/>\nGatewayCgiDirectory {folder}/cgi\n</Route>\n"
                              "<Route /x>\nGatewayUpstream unix:{folder}/silent.sock\n</Route>")
    gateway.script("silent.sh", "#!/bin/sh\ncat > /dev/null\nexec sleep 1000\n")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{gateway.folder}/silent.sock")
        silent.listen()
        os.chmod(f"{gateway.folder}/silent.sock", 0o666)
        gateway.start(nginx=False)
        with fastcgi.Client(gateway.socket) as client:
            client.send(fastcgi.request(path, body=b"x" * 10, keep=True) + fastcgi.record(fastcgi.ABORT))
            assert client.answer().status == (0, 0)
            assert not processes_of(gateway, "sleep")


def test_busy_kept_connections_give_way(gateways):
    gateway = gateways("GatewayThreads 2\nGatewayQueueTime 5s").start(nginx=False)
    request = fastcgi.request("/cgi/probe", keep=True)
    are_busy, is_over = threading.Barrier(3), threading.Event()

    def ask_on():
        """The begin of the next request is always there before the answer to the one before."""
        with fastcgi.Client(gateway.socket) as client:
            client.send(request + request[:4])
            assert client.answer().status == (0, 0)
            are_busy.wait(15)
            while not is_over.is_set():
                try:
                    client.send(request[4:] + request[:4])
                    if client.answer().status is None:
                        return
                except OSError:
                    return

    with ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(ask_on) for _ in range(2)]
        are_busy.wait(15)
        answer = ask(gateway, "/cgi/probe")
        is_over.set()
        assert answer.head.startswith("Status: 200 ")
        assert [one.result() for one in busy] == [None, None]


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_LIBRARY_PATH", "BASH_ENV", "IFS", "PERL5OPT", "PYTHONPATH", "PATH",
                                  "PHPRC", "LUA_PATH_5_4"])
def test_variables_that_change_what_is_run_do_not_reach_programs(gateway, name):
    gateway.script("e.sh", ENVIRONMENT)
    seen = environment(ask(gateway, "/cgi/e.sh", {name: "/nonexistent/evil", "SITE_SETTING": "1"}))
    assert name not in seen or seen[name] != "/nonexistent/evil"
    assert seen["SITE_SETTING"] == "1"


def test_own_variables_win(gateway):
    gateway.script("e.sh", ENVIRONMENT)
    seen = environment(ask(gateway, "/cgi/e.sh", {"SF_MEETING": "/nonexistent", "SF_MEETING_2": "1"}))
    assert seen["SF_MEETING"] == str(gateway.folder / "meeting") and seen["SF_MEETING_2"] == "1"


@pytest.mark.parametrize("is_said", [False, True])
def test_settings_of_php_reach_applications_only_where_that_is_said(gateways, is_said):
    gateway = gateways("GatewayPhpValues On" if is_said else "")
    gateway.script("e.sh", ENVIRONMENT)
    gateway.start(nginx=False)
    for name in ("PHP_VALUE", "PHP_ADMIN_VALUE"):
        seen = environment(ask(gateway, "/cgi/e.sh", {name: "auto_prepend_file=/x", "PHP_OTHER": "1"}))
        assert (name in seen) == is_said and seen["PHP_OTHER"] == "1", name


@pytest.mark.parametrize("length", ["+5", "-1", " 5", "5 ", "0x5", "5, 6", "5\n", "9" * 19])
def test_length_that_is_no_number_is_refused(gateway, length):
    gateway.script("e.sh", ENVIRONMENT)
    answer = ask(gateway, "/cgi/e.sh", {"CONTENT_LENGTH": length}, b"abcde")
    assert answer.head.startswith("Status: 400 ") and answer.status == (0, 0)


@pytest.mark.parametrize("length", ["5", "005", "9" * 18])
def test_length_that_is_a_number_is_taken(gateway, length):
    gateway.script("e.sh", ENVIRONMENT)
    assert ask(gateway, "/cgi/e.sh", {"CONTENT_LENGTH": length}, b"abcde").head.startswith("Status: 200 ")


def test_answer_with_two_lengths_is_refused(gateway):
    gateway.script("two.sh", "#!/bin/sh\nprintf 'Content-Length: 3\\nContent-Length: 5\\n\\nabcde'\n")
    gateway.script("bad.sh", "#!/bin/sh\nprintf 'Content-Length: -3\\n\\nabcde'\n")
    for name in ("two.sh", "bad.sh"):
        assert ask(gateway, f"/cgi/{name}").head.startswith("Status: 502 "), name


def test_program_of_a_suffix_is_named_where_the_suffix_ends_a_part(gateways):
    gateway = gateways(routes="<Route *.cgi>\nGatewayCgiProgram {folder}/cgi/e.sh\n</Route>")
    gateway.script("e.sh", ENVIRONMENT)
    gateway.start(nginx=False)
    seen = environment(ask(gateway, "/a.cgix/b.cgi/c"))
    assert seen["SCRIPT_NAME"] == "/a.cgix/b.cgi" and seen["PATH_INFO"] == "/c"


def test_redirect_inside_keeps_to_the_route_that_it_is_written_for(gateways):
    gateway = gateways(routes="<Route /cgi/>\nGatewayCgiDirectory {folder}/cgi\n</Route>\n"
                              "<Route /admin/>\nGatewayCgiDirectory {folder}/cgi\n"
                              "SessionFastCookieName __Host-admin\n</Route>\n"
                              "<Route />\nGatewayCgiDirectory {folder}/cgi\n</Route>")
    gateway.script("e.sh", ENVIRONMENT)
    gateway.script("go.sh", "#!/bin/sh\nprintf 'Location: %s\\n\\n' \"$QUERY_STRING\"\n")
    gateway.start(nginx=False)
    for place in ("/admin/e.sh", "/%61dmin/e.sh", "/e.sh", "/cgi/../admin/e.sh", "/cgi/%2e%2e/admin/e.sh", "/cgi//../e.sh"):
        answer = ask(gateway, "/cgi/go.sh", {"QUERY_STRING": place})
        assert answer.head.startswith("Status: 302 ") and f"Location: {place}" in answer.head, place


@pytest.mark.parametrize("url", ["/private/admin/x", "/private/x/../admin/x", "/private//admin/x", "/private/./admin/x",
                                 "/private/%2e%2e/private/%61dmin/x?a=/private/y", "http://host/private/admin/x"])
def test_authorizers_look_at_a_path_as_web_servers_do(gateways, url):
    """They are asked about the URL as the client said it; another way to write it finds no other route."""
    gateway = gateways(routes="<Route /private/admin/>\nGatewayAuthorizer On\nGatewayLoginPage /of-admin\n</Route>\n"
                              "<Route /private/>\nGatewayAuthorizer On\nGatewayLoginPage /of-all\n</Route>")
    gateway.start(nginx=False)
    with fastcgi.Client(gateway.socket) as client:
        client.send(fastcgi.begin(role=2) + fastcgi.record(fastcgi.PARAMS, fastcgi.pairs({"REQUEST_URI": url}))
                    + fastcgi.record(fastcgi.PARAMS))
        assert "Location: /of-admin" in client.answer().head
