#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The gateway behind nginx: against fcgiwrap with the same CGI program, in front of a FastCGI application against nginx alone,
and its sessions against PHP's own in files and in Redis. All in one run, in turn, round after round; medians, and ratios
between runs of the same round. Every answer is looked at, and wrong ones are counted.

bench_gateway.py LINES [GROUP...]: a table on standard output, and a line of JSON for each row into the file LINES.
Groups: cgi fastcgi kept php shared. Needs the build in $SF_BUILDDIR and the packages of NEEDED.
"""
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/integration"))

from harness import build  # noqa: E402
from harness.client import Browser  # noqa: E402
from harness.gateway import Gateway  # noqa: E402
from harness.waiting import wait_until  # noqa: E402
from harness.web_server import WebServer  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "1"))
PROCESSES = 32       # of fcgiwrap; threads of the FastCGI application
PHP_PROCESSES = 8
IS_ROOT = os.geteuid() == 0

# What must be there, and the Debian package that has it.
NEEDED = {"bin/wrk": "wrk", "sbin/fcgiwrap": "fcgiwrap", "sbin/nginx": "nginx-light", "bin/redis-server": "redis-server",
          "sbin/php-fpm[0-9]*": "php-fpm", "lib/php/*/redis.so": "php-redis", "include/fcgiapp.h": "libfcgi-dev"}

# Of nginx: where requests go, over new connections or over kept ones.
AROUND = """
    upstream gateway_kept { server unix:{folder}/gateway.sock; keepalive 64; }
    upstream direct_kept { server unix:{folder}/direct_kept.sock; keepalive 64; }
    upstream files_kept { server unix:{folder}/php_files_kept.sock; keepalive 8; }
    upstream redis_kept { server unix:{folder}/php_redis_kept.sock; keepalive 8; }
"""
LOCATION = """
        location {path} {{
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME {file};
            fastcgi_pass {to};
            {more}
        }}
"""
KEPT = "fastcgi_keep_conn on;"

# Of the gateway: path, what serves it, is there a session.
ROUTES = """
<Route /cgi/plain/>
    SessionFast Off
    GatewayCgiDirectory {folder}/cgi
</Route>
<Route /cgi/session/>
    GatewayCgiDirectory {folder}/cgi
</Route>
<Route /app/plain>
    SessionFast Off
    GatewayUpstream unix:{folder}/behind.sock
    GatewayUpstreamConnections 32
</Route>
<Route /app/session>
    GatewayUpstream unix:{folder}/behind.sock
    GatewayUpstreamConnections 32
</Route>
<Route /kept/plain>
    SessionFast Off
    GatewayUpstream unix:{folder}/behind_kept.sock
    GatewayUpstreamConnections 32
    GatewayUpstreamKeepAlive 32
</Route>
<Route /kept/session>
    GatewayUpstream unix:{folder}/behind_kept.sock
    GatewayUpstreamConnections 32
    GatewayUpstreamKeepAlive 32
</Route>
<Route /php/plain>
    SessionFast Off
    GatewayUpstream unix:{folder}/php_plain.sock
</Route>
<Route /php/session>
    GatewayUpstream unix:{folder}/php_ours.sock
</Route>
<Route /php/kept>
    GatewayUpstream unix:{folder}/php_kept.sock
    GatewayUpstreamConnections 8
    GatewayUpstreamKeepAlive 8
</Route>
"""

# Of php-fpm: where the sessions of a pool are.
REDIS = "php_admin_value[session.save_handler] = redis\n" \
        "php_admin_value[session.save_path] = \"unix://{folder}/redis.sock?persistent=1\"\n"
FILES = "php_admin_value[session.save_handler] = files\n" \
        "php_admin_value[session.save_path] = {folder}/php_sessions\n"
POOLS = {
    "plain": "", "ours": "", "kept": "", "files": FILES, "files_kept": FILES, "redis": REDIS, "redis_kept": REDIS,
    "locked": REDIS + "php_admin_value[redis.session.locking_enabled] = 1\n",
}


class Case:
    """One way to the same answer. `path`: the URL's; `mode`: of counting.lua; `to`, `file`, `more`: of nginx."""

    def __init__(self, name, path, mode, to="unix:{folder}/gateway.sock", file="", more=""):
        self.name, self.path, self.mode, self.to, self.file, self.more = name, path, mode, to, file, more


PLAIN, SESSION, PHP = "{folder}/bench/plain.php", "{folder}/bench/our_session.php", "{folder}/bench/php_session.php"
# A title, the numbers of connections, and the cases: the first is what the others are compared with.
GROUPS = {
    "cgi": ("the same CGI program", [1, 8, 32], [
        Case("fcgiwrap", "/fcgiwrap/page", "none", "unix:{folder}/fcgiwrap.sock", "{folder}/cgi/page"),
        Case("gateway", "/cgi/plain/page", "none"),
        Case("gateway, session counts", "/cgi/session/page", "count"),
    ]),
    "fastcgi": ("a FastCGI application, a new connection for each request", [1, 8, 32], [
        Case("nginx alone", "/direct", "none", "unix:{folder}/direct.sock"),
        Case("gateway", "/app/plain", "none"),
        Case("gateway, session read", "/app/session?read", "read"),
        Case("gateway, session counts", "/app/session", "count"),
    ]),
    "kept": ("a FastCGI application, kept connections", [1, 8, 32], [
        Case("nginx alone", "/direct_kept", "none", "direct_kept", more=KEPT),
        Case("gateway", "/kept/plain", "none", "gateway_kept", more=KEPT),
        Case("gateway, session read", "/kept/session?read", "read", "gateway_kept", more=KEPT),
        Case("gateway, session counts", "/kept/session", "count", "gateway_kept", more=KEPT),
    ]),
    "php": ("php-fpm, a page that counts", [1, 8, 32], [
        Case("files", "/php_files", "count", "unix:{folder}/php_files.sock", PHP),
        Case("Redis", "/php_redis", "count", "unix:{folder}/php_redis.sock", PHP),
        Case("Redis with locking", "/php_locked", "count", "unix:{folder}/php_locked.sock", PHP),
        Case("gateway", "/php/session", "count", file=SESSION),
        Case("files, connections kept", "/files_kept", "count", "files_kept", PHP, KEPT),
        Case("Redis, connections kept", "/redis_kept", "count", "redis_kept", PHP, KEPT),
        Case("gateway, connections kept", "/php/kept", "count", "gateway_kept", SESSION, KEPT),
        Case("gateway, kept by nginx", "/php/session/", "count", "gateway_kept", SESSION, KEPT),
        Case("no session", "/php_plain", "none", "unix:{folder}/php_plain.sock", PLAIN),
        Case("no session, gateway", "/php/plain", "none", file=PLAIN),
    ]),
    "shared": ("php-fpm, all connections count in one session", [8], [
        Case("files", "/php_files", "shared", "unix:{folder}/php_files.sock", PHP),
        Case("Redis", "/php_redis", "shared", "unix:{folder}/php_redis.sock", PHP),
        Case("Redis with locking", "/php_locked", "shared", "unix:{folder}/php_locked.sock", PHP),
        Case("gateway", "/php/session", "shared", file=SESSION),
    ]),
}


class Site:
    """Everything that the cases ask, in the folder of the gateway."""

    def __init__(self):
        self.gateway = Gateway(routes=ROUTES)
        self.folder = self.gateway.folder
        self.processes = []
        self.nginx = None

    def put(self, text):
        return text.replace("{folder}", str(self.folder))

    def start(self):
        shutil.copytree(HERE / "gateway", self.folder / "bench")
        (self.folder / "php_sessions").mkdir()
        (self.folder / "php_sessions").chmod(0o1777)
        build.compile_c(HERE / "gateway/page_cgi.c", self.folder / "cgi/page")
        build.compile_c(HERE / "gateway/page_fcgi.c", self.folder / "page_fcgi", "-Wl,--no-as-needed", "-lfcgi", "-lpthread")
        self.gateway.start(nginx=False)
        self.listen("fcgiwrap", "/usr/sbin/fcgiwrap", "-c", PROCESSES)
        for name in ("direct", "direct_kept", "behind", "behind_kept"):
            self.listen(name, self.folder / "page_fcgi", PROCESSES)
        self.start_redis()
        self.start_php()
        cases = {case.path.partition("?")[0]: case for _, _, cases in GROUPS.values() for case in cases}
        locations = [LOCATION.format(path=path, file=case.file or "$document_root$fastcgi_script_name", to=case.to,
                                     more=case.more) for path, case in cases.items()]
        self.nginx = WebServer("nginx", self.folder, self.put("".join(locations)), self.put(AROUND))

    def spawn(self, *words, **options):
        with open(self.folder / "console.log", "ab") as console:
            process = subprocess.Popen([str(word) for word in words], stdout=console, stderr=console,
                                       start_new_session=True, **options)
        self.processes.append(process)

    def listen(self, name, *words):
        """An application that accepts at descriptor 0, as web servers start theirs."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / f"{name}.sock"))
            listener.listen(511)
            (self.folder / f"{name}.sock").chmod(0o666)
            self.spawn(*words, stdin=listener, user="www-data" if IS_ROOT else None)

    def start_redis(self):
        self.spawn("redis-server", "--port", 0, "--unixsocket", self.folder / "redis.sock", "--unixsocketperm", 777,
                   "--save", "", "--dir", self.folder)
        wait_until((self.folder / "redis.sock").exists, "Redis to listen")

    def start_php(self):
        pools = "".join(
            f"[{name}]\nuser = www-data\ngroup = www-data\nlisten = {{folder}}/php_{name}.sock\nlisten.mode = 0666\n"
            f"pm = static\npm.max_children = {PHP_PROCESSES}\n{lines}" for name, lines in POOLS.items())
        configuration = self.folder / "php-fpm.conf"
        configuration.write_text(self.put(f"[global]\ndaemonize = no\nerror_log = {{folder}}/php-fpm.log\n{pools}"))
        modules = ["zend_extension=opcache.so", "extension=igbinary.so", "extension=redis.so"]
        self.spawn(build.php_fpm(), "-F", "-n", *[word for module in modules for word in ("-d", module)], "-y", configuration,
                   stdin=subprocess.DEVNULL)
        for name in POOLS:
            wait_until((self.folder / f"php_{name}.sock").exists, "php-fpm to listen")

    def clean_up(self):
        if self.nginx:
            with contextlib.redirect_stdout(sys.stderr):  # says what nginx has logged
                self.nginx.clean_up()
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)  # fcgiwrap leaves its children behind
            process.wait(20)
        self.gateway.clean_up()


def run_wrk(site, case, connections):
    """One round of one case, and with "shared" how many changes were lost."""
    browser = Browser(site.nginx.port)
    before, cookie = 0, ""
    if case.mode == "shared":
        before = count(browser, case)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    done = subprocess.run(
        ["wrk", f"-t{connections}", f"-c{connections}", f"-d{SECONDS}s", "-s", HERE / "gateway/counting.lua",
         f"http://127.0.0.1:{site.nginx.port}{case.path}", "--", case.mode, cookie],
        check=True, capture_output=True, text=True, timeout=SECONDS + 60)
    found = json.loads(done.stdout.splitlines()[-1])
    found["rate"] = found["requests"] / found["seconds"]
    found["lost"] = max(0, found["requests"] - (count(browser, case) - 1 - before)) if cookie else 0
    browser.close()
    return found


def count(browser, case):
    """One request of our own; the number that it gets."""
    return int(browser.get(case.path).text.removeprefix("n="))


def measure(site, cases, connections):
    """The runs of each case."""
    runs = {case.name: [] for case in cases}
    for _ in range(ROUNDS):
        for case in cases:
            runs[case.name].append(run_wrk(site, case, connections))
    return runs


def report(group, connections, runs, lines):
    first = next(iter(runs.values()))
    for name, found in runs.items():
        def median(key):
            return statistics.median(run[key] for run in found)
        row = {"bench": "gateway", "group": group, "case": name, "connections": connections,
               "requests_per_second": round(median("rate")),
               "ratio": round(statistics.median(run["rate"] / base["rate"] for run, base in zip(found, first)), 3),
               "p50_us": round(1e6 * median("p50")), "p99_us": round(1e6 * median("p99")),
               "wrong": sum(run["wrong"] for run in found), "lost": sum(run["lost"] for run in found),
               "requests": sum(run["requests"] for run in found)}
        lines.write(json.dumps(row) + "\n")
        faults = "".join(f"  {row[what]} of {row['requests']} {what}" for what in ("wrong", "lost") if row[what] > 0)
        print(f"  {connections:3}  {name:30} {row['requests_per_second']:8}/s  {row['ratio']:5.2f}  {row['p50_us']:8}"
              f"  {row['p99_us']:8}{faults}", flush=True)
    print()


def main():
    missing = [package for name, package in NEEDED.items() if not list(Path("/usr").glob(name))]
    if missing:
        sys.exit(f"bench_gateway: missing: apt-get install {' '.join(missing)}")
    site = Site()
    with open(sys.argv[1], "w") as lines:
        try:
            site.start()
            for name in sys.argv[2:] or GROUPS:
                title, numbers, cases = GROUPS[name]
                print(f"{title}; {ROUNDS} rounds of {SECONDS} s\n"
                      f"  connections, requests, ratio to {cases[0].name}, p50 and p99 in microseconds")
                for connections in numbers:
                    report(name, connections, measure(site, cases, connections), lines)
        except AssertionError:
            print((site.folder / "console.log").read_text(errors="replace"), site.gateway.report(), file=sys.stderr)
            raise
        finally:
            site.clean_up()


if __name__ == "__main__":
    main()
