# SPDX-License-Identifier: Apache-2.0
"""session-fast-gateway: CGI programs with sessions, behind nginx and spoken to directly."""
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import build, fastcgi, processes
from harness.gateway import ENVIRONMENT, ask, environment, processes_of
from harness.waiting import wait_until

MEGABYTE = 1 << 20
GIGABYTE = 1 << 30
FLAT = 32 * MEGABYTE  # of memory, whatever goes through


# ---- sessions

def test_session_is_the_same_behind_nginx_and_in_httpd(servers, gateways):
    httpd = servers.start()
    gateway = gateways(instance=httpd.instance)
    gateway.start()
    behind_nginx, behind_httpd = gateway.browser(), httpd.browser()

    response = behind_nginx.get("/cgi/probe?header=X-Session-Login:%20alice&header=X-Session-Set:%20a%3D1")
    assert response.status == 200 and response.session["SESSION_STATE"] == "none"
    assert "SESSION" not in str([name for name, _ in response.headers])
    assert behind_nginx.id

    behind_httpd.cookies = behind_nginx.cookies
    response = behind_httpd.get("/app/probe?header=X-Session-Increment:%20count")
    assert response.session["SESSION_USER"] == "alice" and response.session["SESSION_FIELD_A"] == "1"

    response = behind_nginx.get("/cgi/probe.sh?header=X-Session-Increment:count")
    assert response.session["SESSION_FIELD_COUNT"] == "1" and response.session["SESSION_STATE"] == "active"
    assert behind_nginx.id not in response.text
    assert behind_httpd.get("/app/probe").session["SESSION_FIELD_COUNT"] == "2"

    behind_httpd.get("/app/probe?header=X-Session-Logout:%201")
    response = behind_nginx.get("/cgi/probe")
    assert response.session["SESSION_STATE"] == "none"


def test_answers_that_depend_on_a_session_say_so_to_caches(gateways):
    gateway = gateways().start()
    browser = gateway.browser()
    response = browser.get("/cgi/probe?header=X-Session-Set:%20a%3D1&header=Set-Cookie:%20__Host-id%3Dforged"
                           "&header=Set-Cookie:%20other%3D1&header=Cache-Control:%20max-age%3D60")
    assert response.all("Set-Cookie")[0] == "other=1" and len(response.all("Set-Cookie")) == 2
    assert browser.id not in ("forged", None)
    assert "no-store" in response.one("Cache-Control") and response.one("Vary") == "Cookie"
    response = browser.get("/cgi/probe")
    assert "private" in response.one("Cache-Control") and not response.all("Set-Cookie")


def test_what_a_client_says_about_sessions_is_not_heard(gateways):
    gateway = gateways().start()
    response = gateway.browser().get("/cgi/probe", [("X-Session-User", "root"), ("Session", "x"), ("Proxy", "evil")])
    assert not [name for name in response.variables if "SESSION" in name and name != "SESSION_STATE"
                and not name.startswith("SF_")]
    assert "HTTP_PROXY" not in response.variables


def test_daemon_is_started_and_started_again(gateways):
    gateway = gateways().start()
    browser = gateway.browser()
    browser.get("/cgi/probe?header=X-Session-Login:%20alice")

    def daemons():
        return [process for process in processes.of_instance(gateway.folder) if process.name.startswith("session-fastd")]

    first = daemons()
    assert len(first) == 1
    os.kill(first[0].pid, signal.SIGKILL)
    wait_until(lambda: [process for process in daemons() if process.pid != first[0].pid], "another daemon")
    assert browser.get("/cgi/probe").session["SESSION_USER"] == "alice"
    gateway.stop()
    assert not daemons()


# ---- CGI

def test_environment_is_the_request_and_what_is_named(gateways):
    gateway = gateways("GatewayCgiEnvironment PATH SF_MEETING NOT_THERE")
    gateway.script("e.sh", ENVIRONMENT)
    gateway.start(nginx=False)
    seen = environment(ask(gateway, "/cgi/e.sh/more/info", {"PATH": "/bin:/usr/bin", "QUERY_STRING": "a=1",
                                                            "DOCUMENT_ROOT": "/srv", "CONTENT_TYPE": ""}))
    assert seen["PATH_INFO"] == "/more/info" and seen["SCRIPT_NAME"] == "/cgi/e.sh"
    assert seen["PATH_TRANSLATED"] == "/srv/more/info" and seen["GATEWAY_INTERFACE"] == "CGI/1.1"
    assert seen["SCRIPT_FILENAME"] == f"{gateway.folder}/cgi/e.sh" and seen["PWD"] == f"{gateway.folder}/cgi"
    assert seen["PATH"] == os.environ["PATH"] and seen["SF_MEETING"]
    assert "SECRET_OF_THE_GATEWAY" not in seen and "HOME" not in seen and "CONTENT_LENGTH" not in seen


def test_only_programs_below_the_folder_are_run(gateway):
    gateway.script("plain", "text", 0o644)
    (gateway.folder / "cgi/link").symlink_to("/bin/true")
    (gateway.folder / "cgi/sub").mkdir()
    for path, status in (("/cgi/none", 404), ("/elsewhere", 404), ("/cgi/", 404), ("/cgi/sub", 404),
                         ("/cgi/plain", 403), ("/cgi/link", 403), ("/cgi/../bin/session-fastd", 403),
                         ("/cgi/sub/../probe", 403)):
        assert ask(gateway, path).head.startswith(f"Status: {status} "), path
    gateway.configure("GatewayCgiSymlinks On")
    gateway.reload()
    assert "502" in ask(gateway, "/cgi/link").head  # it is run, and says nothing


def test_one_program_for_a_whole_route(gateways):
    gateway = gateways(routes="<Route /one>\nGatewayCgiProgram {folder}/cgi/e.sh\n</Route>\n"
                              "<Route *.x>\nGatewayCgiProgram {folder}/cgi/e.sh\n</Route>")
    gateway.script("e.sh", ENVIRONMENT)
    gateway.start(nginx=False)
    seen = environment(ask(gateway, "/one/two"))
    assert seen["SCRIPT_NAME"] == "/one" and seen["PATH_INFO"] == "/two"
    seen = environment(ask(gateway, "/a/b.x/c"))
    assert seen["SCRIPT_NAME"] == "/a/b.x" and seen["PATH_INFO"] == "/c"
    assert "404" in ask(gateway, "/ones").head


def test_exit_status_is_told(gateway):
    gateway.script("ends.sh", "#!/bin/sh\nprintf 'A: 1\\n\\nbody'\necho its words >&2\nexit 3\n")
    gateway.script("dies.sh", "#!/bin/sh\nprintf 'A: 1\\n\\n'\nkill -9 $$\n")
    answer = ask(gateway, "/cgi/ends.sh")
    assert answer.status == (3, 0) and answer.body == b"body" and answer.errors == b"its words\n"
    assert "ends.sh: ended with exit status 3" in gateway.log_text()
    ask(gateway, "/cgi/dies.sh")
    assert "dies.sh: ended by signal 9" in gateway.log_text()


def test_program_that_cannot_be_run_is_an_error_and_told(gateway):
    gateway.script("broken", "#!/no/such/interpreter\n")
    assert "500" in ask(gateway, "/cgi/broken").head
    assert "broken: cannot be run" in gateway.log_text()


def test_local_redirects_are_followed_inside(gateways):
    gateway = gateways()
    gateway.script("e.sh", ENVIRONMENT)
    gateway.script("there.sh", "#!/bin/sh\nprintf 'Location: /cgi/e.sh/info?b=2\\nX-Session-Set: seen=1\\n\\n'\n")
    gateway.script("loop.sh", "#!/bin/sh\nprintf 'Location: /cgi/loop.sh\\n\\n'\n")
    gateway.start()
    browser = gateway.browser()
    response = browser.post("/cgi/there.sh", "a=1")
    seen = response.variables
    assert response.status == 200 and browser.id
    assert seen["REQUEST_METHOD"] == "GET" and seen["PATH_INFO"] == "/info" and seen["QUERY_STRING"] == "b=2"
    assert seen["REDIRECT_URL"] == "/cgi/there.sh" and "CONTENT_LENGTH" not in seen
    assert seen["SESSION_FIELD_SEEN"] == "1"
    assert browser.get("/cgi/loop.sh").status == 500
    assert "more than 10 redirects" in gateway.log_text()


def test_silent_program_is_killed_with_all_it_has_started(gateways):
    gateway = gateways("GatewayTimeout 300ms")
    gateway.script("silent.sh", "#!/bin/sh\ntrap '' TERM\nsleep 60 & # ./silent.sh\nsh -c 'sleep 61' ./silent.sh\n")
    gateway.start()
    assert gateway.browser().get("/cgi/silent.sh").status == 504
    wait_until(lambda: not processes_of(gateway, "sleep"), "the group to go", 1)


def test_client_that_goes_away_ends_the_program_within_a_second(gateways):
    gateway = gateways()
    gateway.script("long.sh", "#!/bin/sh\nprintf 'A: 1\\n\\nbegun\\n'\nsleep 60 &\nsleep 61\n")
    gateway.start()
    connection = gateway.connection()
    connection.send("GET", "/cgi/long.sh")
    wait_until(lambda: len(processes_of(gateway, "sleep")) == 2, "the program to begin")
    connection.close()
    wait_until(lambda: not processes_of(gateway, "sleep"), "the whole group to go", 1)


def test_time_limit_cuts_an_answer_off(gateways):
    gateway = gateways("GatewayTimeLimit 300ms")
    gateway.script("drips.sh", "#!/bin/sh\nprintf 'A: 1\\n\\n'\nwhile :; do echo x; sleep 0.05; done\n")
    gateway.start(nginx=False)
    answer = ask(gateway, "/cgi/drips.sh")
    assert answer.status is None and b"x\nx\n" in answer.body


def test_limits_hold_for_the_program(gateways):
    gateway = gateways("GatewayCgiCpuTime 7s\nGatewayCgiMemory 100M\nGatewayCgiOpenFiles 20")
    gateway.script("limits.sh", "#!/bin/sh\nprintf 'A: 1\\n\\n'\nulimit -t\nulimit -v\nulimit -n\n")
    gateway.start(nginx=False)
    assert ask(gateway, "/cgi/limits.sh").body == b"7\n102400\n20\n"


def test_background_work_does_not_hold_the_answer_up(gateway):
    gateway.script("leaves.sh", "#!/bin/sh\nprintf 'A: 1\\n\\nbody'\nsleep 60 &\n")
    gateway.script("goes_on.sh", "#!/bin/sh\nprintf 'A: 1\\n\\nbody'\nexec >&- 2>&-\nsleep 60\n")
    for name in ("leaves.sh", "goes_on.sh"):
        answer = ask(gateway, f"/cgi/{name}")
        assert answer.body == b"body" and answer.status == (0, 0)
    wait_until(lambda: len(processes_of(gateway, "sleep")) == 2, "both to be at work")  # the one begins it behind its answer
    processes.kill(processes_of(gateway, "sleep"))
    wait_until(lambda: not processes_of(gateway, "goes_on.sh"), "the other to end")


# ---- bodies

def test_program_that_does_not_read_its_input(gateway):
    gateway.script("deaf.sh", "#!/bin/sh\nprintf 'A: 1\\n\\ndone'\n")
    answer = ask(gateway, "/cgi/deaf.sh", body=b"x" * (4 * MEGABYTE))
    assert answer.body == b"done" and answer.status == (0, 0)


def test_megabyte_is_answered_before_a_megabyte_is_read(gateways):
    gateway = gateways()
    gateway.script("early.sh", "#!/bin/sh\nprintf 'A: 1\\n\\n'\nhead -c 1048576 /dev/zero\nwc -c\n")
    gateway.start()
    response = gateway.browser().request("POST", "/cgi/early.sh", body=b"x" * MEGABYTE)
    assert response.body == b"\0" * MEGABYTE + b"1048576\n"


def test_gigabytes_go_through_in_little_memory(gateways):
    gateway = gateways(location="fastcgi_buffering off; fastcgi_request_buffering off;")
    gateway.script("count.sh", "#!/bin/sh\nprintf 'A: 1\\n\\n'\nwc -c\n")
    gateway.script("zeros.sh", f"#!/bin/sh\nprintf 'A: 1\\n\\n'\nhead -c {GIGABYTE} /dev/zero\n")
    gateway.start()
    gateway.browser().get("/cgi/probe")
    before = gateway.resident()[0]

    up = gateway.connection()
    up.socket.settimeout(60)
    up.send_raw(f"POST /cgi/count.sh HTTP/1.1\r\nHost: localhost\r\nContent-Length: {GIGABYTE}\r\n\r\n".encode())
    part = b"x" * MEGABYTE
    for _ in range(GIGABYTE // MEGABYTE):
        up.send_raw(part)
    assert up.receive().body == f"{GIGABYTE}\n".encode()

    down = gateway.connection()
    down.socket.settimeout(60)
    down.send_raw(b"GET /cgi/zeros.sh HTTP/1.0\r\n\r\n")
    size = 0
    while data := down.socket.recv(MEGABYTE):
        size += len(data)
    assert size > GIGABYTE
    most = gateway.resident()[1]
    print(f"resident before {before >> 10} KiB, most {most >> 10} KiB, limit {(before + FLAT) >> 10} KiB")
    assert most < before + FLAT


def test_events_arrive_as_they_are_written(gateways):
    gateway = gateways(location="fastcgi_buffering off;")
    gateway.script("events.sh", "#!/bin/sh\nprintf 'Content-Type: text/event-stream\\n\\n'\n"
                                "for i in 1 2 3; do printf 'data: %s\\n\\n' $i\n"
                                "while [ ! -e {folder}/meeting/$i ]; do sleep 0.01; done; done\n")
    gateway.start()
    connection = gateway.connection()
    connection.send("GET", "/cgi/events.sh")
    for number in (1, 2, 3):
        connection._until(f"data: {number}\n\n".encode())  # the next is written only when this one was seen
        (gateway.folder / f"meeting/{number}").touch()


# ---- the web server's side

def test_kept_connections_serve_many_requests(gateways):
    gateway = gateways(location="fastcgi_keep_conn on;", upstream="keepalive 4;")
    gateway.start()
    browser = gateway.browser()
    for _ in range(30):
        assert browser.get("/cgi/probe").status == 200
        assert browser.post("/cgi/probe", "a=1").status == 200
    with fastcgi.Client(gateway.socket) as client:
        for number in range(1, 20):
            client.send(fastcgi.request("/cgi/probe", keep=True, number=number))
            assert client.answer().status == (0, 0)


def test_kept_connections_make_room_for_others(gateways):
    gateway = gateways("GatewayThreads 2\nGatewayQueueTime 10s").start(nginx=False)
    idle = [fastcgi.Client(gateway.socket) for _ in range(2)]
    for client in idle:
        client.send(fastcgi.request("/cgi/probe", keep=True))
        assert client.answer().status == (0, 0)
    assert ask(gateway, "/cgi/probe").status == (0, 0)
    for client in idle:
        client.socket.close()


def test_who_waits_too_long_for_a_thread_is_told_to_come_again(gateways):
    gateway = gateways("GatewayThreads 2\nGatewayQueueTime 100ms").start()
    with ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(gateway.browser().get, "/cgi/probe?wait=go") for _ in range(2)]
        wait_until(lambda: len(list((gateway.folder / "meeting").iterdir())) == 2, "both threads to be busy")
        response = gateway.browser().get("/cgi/probe")
        assert response.status == 503 and response.one("Retry-After") == "1"
        (gateway.folder / "meeting/go").touch()
        assert [one.result().status for one in busy] == [200, 200]
    assert gateway.browser().get("/cgi/probe").status == 200


def test_hostile_bytes_end_one_connection_and_nothing_else(gateway):
    hostile = [b"GET / HTTP/1.0\r\n\r\n", b"\0" * 100, fastcgi.begin() + fastcgi.record(4, b"\xff" * 8 + b"ab")
               + fastcgi.record(4), fastcgi.begin() + fastcgi.record(5, b"body"), fastcgi.begin() + fastcgi.begin(),
               fastcgi.begin() + fastcgi.record(4, fastcgi.pairs({"A=B": "1"})) + fastcgi.record(4),
               fastcgi.record(1, b"short")]
    for data in hostile:
        with fastcgi.Client(gateway.socket) as client:
            client.send(data)
            assert client.is_closed(), data
    with fastcgi.Client(gateway.socket) as client:  # more than allowed
        client.send(fastcgi.begin() + fastcgi.record(4, b"\x01" * 65528) * 5)
        assert "431" in client.answer().head
    with fastcgi.Client(gateway.socket) as client:  # cut off in the middle
        client.send(fastcgi.request("/cgi/probe", body=b"x" * 1000)[:-500])
    assert ask(gateway, "/cgi/probe").status == (0, 0)


def test_silent_web_server_is_left(gateways):
    gateway = gateways("GatewayIdleTimeout 200ms\nGatewayRequestTimeout 200ms").start(nginx=False)
    with fastcgi.Client(gateway.socket) as client:
        client.send(fastcgi.begin())
        assert client.is_closed()


# ---- life

def test_reload_under_load_loses_no_request(gateways):
    gateway = gateways().start()
    stop, failures, count = threading.Event(), [], [0]

    def ask_again_and_again():
        browser = gateway.browser()
        while not stop.is_set():
            response = browser.get("/cgi/probe")
            count[0] += 1
            if response.status != 200:
                failures.append(response)

    threads = [threading.Thread(target=ask_again_and_again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(10):
        gateway.configure(f"GatewayTimeout {number + 10}s")
        gateway.reload()
        seen = count[0]
        wait_until(lambda: count[0] > seen + 4, "requests behind the reload")
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert gateway.count("SF0702") == 10


def test_bad_file_changes_nothing(gateways):
    gateway = gateways().start(nginx=False)
    gateway.configure("GatewayTimeout nonsense")
    gateway.reload()
    assert "not reloaded" in gateway.log_text() and "GatewayTimeout: 'nonsense'" in gateway.log_text()
    assert ask(gateway, "/cgi/probe").status == (0, 0)
    gateway.configure("GatewayThreads 5")
    gateway.reload()
    assert "GatewayThreads: counts at the next start only" in gateway.log_text()


def test_requests_that_run_end_before_the_gateway_does(gateways):
    gateway = gateways().start(nginx=False)
    with fastcgi.Client(gateway.socket) as client:
        client.send(fastcgi.request("/cgi/probe", {"QUERY_STRING": "wait=go", "SF_MEETING": f"{gateway.folder}/meeting"}))
        wait_until(lambda: list((gateway.folder / "meeting").iterdir()), "the program to begin")
        gateway.process.terminate()
        wait_until(lambda: "SF0705" in gateway.log_text(), "the stop to begin")
        (gateway.folder / "meeting/go").touch()
        assert client.answer().status == (0, 0)
    assert gateway.process.wait(20) == 0
    with pytest.raises(OSError):
        fastcgi.Client(gateway.socket)


def test_stop_has_an_end(gateways):
    gateway = gateways("GatewayStopTimeout 200ms")
    gateway.script("long.sh", "#!/bin/sh\nsleep 60\n")
    gateway.start(nginx=False)
    with fastcgi.Client(gateway.socket) as client:
        client.send(fastcgi.request("/cgi/long.sh"))
        wait_until(lambda: processes_of(gateway, "sleep"), "the program to begin")
        begun = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - begun < 10
        assert not processes_of(gateway, "sleep") and client.is_closed()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_cuts_off_what_runs(gateways, number):
    gateway = gateways("GatewayStopTimeout 1h")
    gateway.script("long.sh", "#!/bin/sh\nsleep 60\n")
    gateway.start(nginx=False)
    with fastcgi.Client(gateway.socket) as client:
        client.send(fastcgi.request("/cgi/long.sh"))
        wait_until(lambda: processes_of(gateway, "sleep"), "the program to begin")
        gateway.process.terminate()
        wait_until(lambda: "SF0705" in gateway.log_text(), "the stop to begin")
        gateway.process.send_signal(number)
        assert gateway.process.wait(20) == 0
        assert not processes_of(gateway, "sleep") and client.is_closed()


# ---- other web servers, and who hands sockets over

def test_behind_mod_proxy_fcgi(servers, gateways):
    gateway = gateways()
    gateway.start(nginx=False)
    httpd = servers.start(extra=f'ProxyPass "/cgi/" "unix:{gateway.socket}|fcgi://localhost/cgi/"\n')
    browser = httpd.browser()
    response = browser.get("/cgi/probe/info?header=X-Session-Login:%20alice&header=X-Session-Set:%20a%3D1")
    assert response.status == 200 and browser.id, response
    assert not [name for name, _ in response.headers if "session" in name.lower()]
    response = browser.post("/cgi/probe/info?header=X-Session-Increment:%20count", "x" * 100000)
    seen = response.variables
    assert seen["SESSION_USER"] == "alice" and seen["SESSION_FIELD_A"] == "1"
    assert seen["PATH_INFO"] == "/info" and seen["SCRIPT_FILENAME"] == f"{gateway.folder}/cgi/probe"
    browser.get("/cgi/probe?header=X-Session-Logout:%201")
    assert browser.id is None and browser.get("/cgi/probe").session["SESSION_STATE"] == "none"


@pytest.mark.parametrize("way", ["systemd", "spawn-fcgi"])
def test_socket_that_is_handed_over(gateways, way):
    gateway = gateways()
    lines = (gateway.folder / "gateway.conf").read_text()
    (gateway.folder / "gateway.conf").write_text(lines.replace(f"unix:{gateway.socket}", "inherited"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(gateway.socket))
        listener.listen(100)
        gateway.socket.chmod(0o666)
        gateway.start(nginx=False, handed_over=(way, listener))
    assert ask(gateway, "/cgi/probe").status == (0, 0)
    gateway.stop()
    assert gateway.socket.exists()  # it is somebody else's


def test_as_root_only_with_a_user(gateways, as_root):
    gateway = gateways()
    lines = (gateway.folder / "gateway.conf").read_text()
    (gateway.folder / "gateway.conf").write_text(lines.replace("GatewayUser www-data\n", ""))
    with pytest.raises(AssertionError):
        gateway.start(nginx=False)
    assert "cannot start: started as root: say GatewayUser" in gateway.log_text()
    assert not gateway.socket.exists()


def check_file(gateway, *identity):
    """What `session-fast config check` says of the gateway's file."""
    done = subprocess.run([*identity, build.program("session-fast", "command_line"), "config", "check",
                           gateway.folder / "gateway.conf"], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


def test_file_can_be_checked_before_it_is_used(gateways):
    gateway = gateways()
    status, text = check_file(gateway)
    assert status == 0 and "for /cgi/" in text and "GatewayCgiDirectory" in text


def test_what_a_preset_makes_is_told_from_what_the_file_sets(gateways):
    gateway = gateways("SessionFastPreset django\nSessionFastIdleTimeout 1h\n")
    status, text = check_file(gateway)
    own, by_preset = text.split("as SessionFastPreset says")
    assert status == 0
    assert re.search(r"SessionFastIdleTimeout +1h\n", own) and "SessionFastIdleTimeout" not in by_preset
    assert re.search(r"SessionFastCookieMaxAge +(14d|2w)\n", by_preset)


@pytest.mark.parametrize("wrong, routes, why", [
    ("GatewayTimeuot 5s", "", "unknown directive 'GatewayTimeuot'"),
    ("GatewayThreads many", "", "GatewayThreads: 'many' is not a number (1 to 4096)"),
    ("GatewayListen unix:{folder}/none/s", "",
     "GatewayListen: {folder}/none/: cannot be looked at: No such file or directory"),
    ("GatewayUser no-such-user", "", "GatewayUser: there is no user no-such-user"),
    ("GatewayCgiDirectory cgi-bin", "<Route /x/>\n@</Route>", "GatewayCgiDirectory: 'cgi-bin' does not begin with '/'"),
    ("GatewayCgiDirectory {folder}/none", "<Route /x/>\n@</Route>",
     "GatewayCgiDirectory: {folder}/none: cannot be looked at: No such file or directory"),
    ("GatewayCgiProgram {folder}/gateway.conf", "<Route /x>\n@</Route>",
     "GatewayCgiProgram: {folder}/gateway.conf: cannot be executed: Permission denied"),
    ("GatewayUpstream php.sock", "<Route *.php>\n@</Route>", "GatewayUpstream: 'php.sock' is no place to connect to"),
    ("<Route /x>", "<Route />\nGatewayApi On\n</Route>\n@GatewayApi On\n</Route>",
     "<Route /x> is never reached: <Route /> in line"),
])
def test_wrong_file_is_refused_with_line_and_reason(gateways, wrong, routes, why):
    """By session-fast config check, by the gateway at its start, and when it reads the file again."""
    gateway = gateways().start(nginx=False)
    wrong, why = (text.replace("{folder}", str(gateway.folder)) for text in (wrong, why))
    gateway.configure("" if routes else wrong, routes.replace("@", f"{wrong}\n") or None)
    written = gateway.folder.joinpath("gateway.conf").read_text().splitlines()
    expected = f"gateway.conf:{written.index(wrong) + 1}: {why}"
    status, text = check_file(gateway)
    assert status == 1 and expected in text
    if not wrong.startswith(("GatewayListen", "GatewayUser")):  # they count at the next start only
        gateway.reload()
        assert gateway.count("SF0703") == 1 and expected in gateway.log_text()
        assert ask(gateway, "/cgi/probe").status == (0, 0)
    gateway.stop()
    gateway.log.unlink()
    with pytest.raises(AssertionError):
        gateway.start(nginx=False)
    assert expected in gateway.log_text() and gateway.process.returncode == 1


def test_program_that_only_root_can_run_is_refused(gateways, as_root):
    gateway = gateways(routes="<Route /x>\nGatewayCgiProgram {folder}/hidden/program\n</Route>")
    (gateway.folder / "hidden").mkdir(mode=0o700)
    shutil.copy("/bin/true", gateway.folder / "hidden/program")
    why = f"GatewayCgiProgram: {gateway.folder}/hidden/program: cannot be looked at: Permission denied"
    assert check_file(gateway)[0] == 0
    status, text = check_file(gateway, "setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups")
    assert status == 1 and why in text
    with pytest.raises(AssertionError):
        gateway.start(nginx=False)
    assert f"cannot start: {gateway.folder}/gateway.conf:" in gateway.log_text() and why in gateway.log_text()


def test_five_hundred_clients_are_served_or_told_to_come_again(gateways):
    gateway = gateways("GatewayThreads 50\nGatewayQueueTime 500ms").start(nginx=False)
    gateway.script("brief.sh", "#!/bin/sh\nsleep 0.05\nprintf 'A: 1\\n\\nbody'\n")

    def client(_):
        answer = ask(gateway, "/cgi/brief.sh")
        assert answer.status == (0, 0)
        return answer.head.split()[1], "Retry-After: 1" in answer.head

    with ThreadPoolExecutor(500) as pool:
        answers = set(pool.map(client, range(500)))
    assert answers <= {("200", False), ("503", True)} and ("200", False) in answers
    assert ask(gateway, "/cgi/probe").status == (0, 0)
