# SPDX-License-Identifier: Apache-2.0
"""
One private httpd in one temporary folder, with the module under test, its daemon, and php-fpm when asked for.

  <folder>/instance   SessionFastInstance: cache, socket, secrets, sessions.db
  <folder>/site       documents        <folder>/cgi  applications        <folder>/meeting  see the probes
  <folder>/cores      of what crashed
"""
import os
import re
import shutil
import signal
import sqlite3
import subprocess

from . import build, cores, processes
from .client import Browser, Connection, Closed
from .daemon import Daemon
from .site import SITE
from .waiting import wait_until

MPM = {
    "prefork": "StartServers {children}\nMinSpareServers 4\nMaxSpareServers 128\n"
               "ServerLimit 128\nMaxRequestWorkers 128\nMaxConnectionsPerChild 0",
    "worker": "StartServers 2\nServerLimit 4\nThreadsPerChild 64\nMinSpareThreads 32\nMaxSpareThreads 256\n"
              "MaxRequestWorkers 256",
    "event": "StartServers 2\nServerLimit 8\nThreadsPerChild 64\nMinSpareThreads 32\nMaxSpareThreads 256\n"
             "MaxRequestWorkers 256",
}

MODULES = """authn_core authn_file authz_core authz_user authz_host auth_form request mime dir alias rewrite env setenvif
headers cgid proxy proxy_http proxy_fcgi session session_cookie""".split()


class Httpd:
    def __init__(self, folder, mpm="event", site=SITE, instance="", extra="", children=8):
        """`instance`: lines for the whole server; `extra`: lines behind the site."""
        self.folder = folder
        self.mpm = mpm
        self.port = processes.free_port()
        self.parent = None
        self.php = None
        self.browsers = []
        self.environment = {}  # of httpd, beside that of the test
        self.log = folder / "error.log"
        self.cores = folder / "cores"
        self.instance = folder / "instance"
        self.socket = self.instance / "daemon.sock"
        self.database = self.instance / "sessions.db"
        self.meeting = folder / "meeting"
        self.site, self.instance_lines, self.extra, self.children = site, instance, extra, children
        self.write_configuration()

    # Configuration

    def write_configuration(self, instance=None, extra=None):
        """Takes effect with the next start, restart or graceful."""
        self.instance_lines = self.instance_lines if instance is None else instance
        self.extra = self.extra if extra is None else extra
        (self.folder / "httpd.conf").write_text(self._configuration())

    def _configuration(self):
        load = "\n".join(f"LoadModule {name}_module {build.HTTPD_MODULES}/mod_{name}.so"
                         for name in [f"mpm_{self.mpm}", *MODULES])
        identity = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        values = {"folder": str(self.folder), "port": self.port, "meeting": str(self.meeting)}
        return f"""
ServerRoot "{self.folder}"
ServerName localhost
Listen 127.0.0.1:{self.port}
PidFile "{self.folder}/httpd.pid"
DefaultRuntimeDir "{self.folder}/run"
ErrorLog "{self.log}"
LogLevel info
CoreDumpDirectory "{self.cores}"
{load}
LoadModule session_fast_module "{self.folder}/bin/mod_session_fast.so"
{identity}
{MPM[self.mpm].format(children=self.children)}
KeepAliveTimeout 2
MaxKeepAliveRequests 0
Timeout 30
GracefulShutdownTimeout 5
SessionFastInstance "{self.instance}"
SessionFastDaemon "{self.folder}/bin/session-fastd"
{_fill(self.instance_lines, values)}
{_fill(self.site, values)}
{_fill(self.extra, values)}
"""

    # Life

    def start(self):
        seen = self.count_in_log("resuming normal operations")
        # A session of its own: prefork in the foreground sends SIGTERM to its whole process group when it stops.
        # A file for its standard error: a pipe that nobody reads could block it.
        with open(self.folder / "console.log", "ab") as console:
            self.parent = subprocess.Popen(
                cores.allowed([build.HTTPD, "-f", str(self.folder / "httpd.conf"), "-DFOREGROUND"]),
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
                env={**os.environ, **self.environment})
        wait_until(lambda: self.parent.poll() is not None
                   or self.count_in_log("resuming normal operations") > seen, "httpd to start", 20)
        assert self.parent.poll() is None, f"httpd did not start:\n{self.report()}"
        return self

    def stop(self):
        if self.mpm == "worker":  # waits for threads that sit on an idle connection
            for browser in self.browsers:
                browser.close()
        self.parent.terminate()
        self.parent.wait(20)

    def restart(self, number=signal.SIGHUP):
        """SIGHUP: restart; SIGUSR1: graceful. Returns when the new configuration serves."""
        seen = self.count_in_log("resuming normal operations")
        self.parent.send_signal(number)
        wait_until(lambda: self.count_in_log("resuming normal operations") > seen, "httpd to restart", 20)

    def graceful(self):
        self.restart(signal.SIGUSR1)

    def kill_everything(self):
        """kill -9 of every process at once: parent first, so that it restarts nothing."""
        self.parent.kill()
        self.parent.wait(10)
        processes.kill(self.tree())
        wait_until(lambda: not self.tree(), "killed processes to go")

    def tree(self):
        """httpd, its children, the daemon and running CGIs; without php-fpm."""
        php = {self.php.pid} | {child.pid for child in processes.children_of(self.php.pid)} if self.php else set()
        return [process for process in processes.of_instance(self.folder, self.parent.pid if self.parent else None)
                if process.pid not in php]

    def workers(self):
        """The children that serve requests (mod_cgid's helper and the daemon are children as well)."""
        helpers = {process.pid for process in self._helpers()}
        return [child for child in processes.children_of(self.parent.pid)
                if child.name.startswith("apache2") and child.pid not in helpers]

    def _helpers(self):
        """mod_cgid's daemon runs as httpd's child too; it alone listens on the script socket."""
        sockets = [line.split() for line in open("/proc/net/unix", encoding="latin-1") if str(self.folder) in line]
        inodes = {f"socket:[{fields[6]}]" for fields in sockets if "cgisock" in fields[-1]}
        return [child for child in processes.children_of(self.parent.pid) if inodes & _open_files(child.pid)]

    def clean_up(self):
        """Ends everything; returns what should not have been there any more."""
        if self.parent and self.parent.poll() is None:
            self.parent.send_signal(signal.SIGCONT)
            for process in self.tree():
                processes.send(process.pid, signal.SIGCONT)
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                pass  # it is among those that are left
        left = self._left_after(5)
        if self.php:
            self.php.terminate()
            self.php.wait(10)
        left += [process for process in processes.of_instance(self.folder) if process.pid not in
                 {other.pid for other in left}]
        processes.kill(left)
        return left

    def _left_after(self, seconds):
        try:
            wait_until(lambda: not self.tree(), "processes to end", seconds)
            return []
        except AssertionError:
            return self.tree()

    # php-fpm

    def start_php(self):
        """A private pool on a unix socket; its pages are those in <folder>/cgi."""
        if build.php_fpm() is None:
            return False
        user = "user = www-data\ngroup = www-data\nlisten.owner = www-data\n" if os.geteuid() == 0 else ""
        (self.folder / "php-fpm.conf").write_text(
            f"[global]\ndaemonize = no\nerror_log = {self.folder}/php-fpm.log\n"
            f"[www]\n{user}listen = {self.folder}/php.sock\npm = static\npm.max_children = 4\n")
        with open(self.folder / "console.log", "ab") as console:
            self.php = subprocess.Popen([build.php_fpm(), "-F", "-n", "-y", str(self.folder / "php-fpm.conf")],
                                        stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                        start_new_session=True)
        wait_until((self.folder / "php.sock").exists, "php-fpm to listen")
        return True

    # Looking at it

    def browser(self):
        self.browsers.append(Browser(self.port))
        return self.browsers[-1]

    def connection(self):
        return Connection(self.port)

    def log_text(self):
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def count_in_log(self, text):
        return self.log_text().count(text)

    def log_lines(self, pattern):
        return [line for line in self.log_text().splitlines() if re.search(pattern, line)]

    def daemon(self):
        return Daemon(self.socket)

    def status(self):
        with self.daemon() as daemon:
            return daemon.pairs("SESSION.STATUS")

    def flush(self):
        """Returns when the store has everything."""
        with self.daemon() as daemon:
            daemon.call("SESSION.FLUSH")

    def daemon_pid(self):
        """None while there is none that answers."""
        try:
            return int(self.status()["pid"])
        except (OSError, AssertionError):
            return None

    def daemon_processes(self):
        return [process for process in self.tree() if process.name.startswith("session-fastd")]

    def query(self, sql, *arguments):
        """Reads the store behind the daemon's back, after everything has been written."""
        self.flush()
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)
        try:
            return connection.execute(sql, arguments).fetchall()
        finally:
            connection.close()

    def answers(self):
        try:
            connection = self.connection()
            status = connection.request("GET", "/index.html").status
            connection.close()
            return status == 200
        except (OSError, Closed):
            return False

    def crashes(self):
        """
        What must never happen, whatever a test does to the server, with a backtrace of the child that crashed. Only a
        crash whose backtrace proves it to be httpd's own is left out: docs/decisions/0013.
        """
        found = []
        for line in self.log_lines("Segmentation|Abort|Bus error|Assertion|Sanitizer|runtime error:"):
            child = re.search(r"child pid (\d+) exit signal", line)
            trace = cores.backtrace(self.cores, build.HTTPD, int(child[1])) if child else ""
            if not (child and cores.is_httpds_own(trace, int(child[1]))):
                found.append(f"{line}\n{trace}")
        return found

    def report(self):
        parts = []
        for path in (self.folder / "console.log", self.log):
            if path.exists():
                parts.append(f"--- {path.name}\n" + "\n".join(path.read_text("utf-8", "replace").splitlines()[-80:]))
        return "\n".join(parts + self.crashes())


def _fill(text, values):
    """{folder} and the like; other braces stand for themselves, as in %{name}e."""
    return re.sub(r"\{(folder|port|meeting)\}", lambda match: str(values[match[1]]), text)


def _open_files(pid):
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    except OSError:
        pass
    return found


def make_folder(folder, probe):
    """Everything that a server reads; www-data must be able to go there."""
    for name in ("site", "site/member", "cgi", "run", "bin"):
        (folder / name).mkdir(parents=True)
    for name in ("meeting", "cores"):
        (folder / name).mkdir()
        (folder / name).chmod(0o1777)
    shutil.copy(build.module(), folder / "bin")
    shutil.copy(build.program("session-fastd", "session_daemon"), folder / "bin")
    shutil.copy(probe, folder / "cgi/probe")
    for name in ("probe.pl", "probe.sh", "probe.php"):
        shutil.copy(build.APPLICATIONS / name, folder / "cgi")
        (folder / "cgi" / name).chmod(0o755)
    (folder / "site/index.html").write_text("<title>public</title>\n")
    (folder / "site/login.html").write_text("<title>log in</title>\n")
    (folder / "site/member/index.html").write_text("<title>members</title>\n")
    # {SHA} is weak, fast and known to every httpd: fine for a user who exists for seconds on loopback.
    (folder / "users").write_text("alice:{SHA}Oi1pzCfo+nJRZVpGWg9anFLGlBY=\nbob:{SHA}Oi1pzCfo+nJRZVpGWg9anFLGlBY=\n")
