# SPDX-License-Identifier: Apache-2.0
"""
session-fast-gateway in a temporary folder, alone or behind a private nginx.

  <folder>/gateway.conf, gateway.sock, gateway.log      <folder>/cgi   programs       <folder>/instance   unless shared
"""
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from . import build, fastcgi, processes
from .client import Browser, Connection
from .daemon import Daemon
from .waiting import wait_until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")

NGINX_CONFIGURATION = """
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx.log info;
worker_processes 1;
daemon off;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/tmp;
    fastcgi_temp_path {folder}/tmp;
    proxy_temp_path {folder}/tmp;
    uwsgi_temp_path {folder}/tmp;
    scgi_temp_path {folder}/tmp;
    client_max_body_size 0;
    upstream gateway {{ server unix:{folder}/gateway.sock; {upstream} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            fastcgi_pass gateway;
            fastcgi_read_timeout 60s;
            include /etc/nginx/fastcgi_params;
            {location}
        }}
    }}
}}
"""


class Gateway:
    def __init__(self, lines="", routes=None, instance=None, location="", upstream="", probe=None):
        """`instance`: folder of one that another server shares with it; `location`, `upstream`: for nginx."""
        self.folder = Path(tempfile.mkdtemp(prefix="sf-test-"))
        self.folder.chmod(0o755)
        for name in ("cgi", "bin", "tmp", "meeting"):
            (self.folder / name).mkdir()
        (self.folder / "meeting").chmod(0o1777)
        (self.folder / "tmp").chmod(0o777)
        self.socket = self.folder / "gateway.sock"
        self.log = self.folder / "gateway.log"
        self.nginx_log = self.folder / "nginx.log"
        self.port = processes.free_port()
        self.instance = instance or self.folder / "instance"
        self.process = self.nginx = None
        shutil.copy(build.program("session-fastd", "session_daemon"), self.folder / "bin")
        if probe:
            shutil.copy(probe, self.folder / "cgi/probe")
        shutil.copy(build.APPLICATIONS / "probe.sh", self.folder / "cgi/probe.sh")
        (self.folder / "cgi/probe.sh").chmod(0o755)
        self.configure(lines, routes)
        (self.folder / "nginx.conf").write_text(NGINX_CONFIGURATION.format(
            folder=self.folder, port=self.port, upstream=upstream, location=location.replace("{folder}", str(self.folder)),
            user="user www-data;" if os.geteuid() == 0 else ""))

    def configure(self, lines="", routes=None):
        user = "GatewayUser www-data" if os.geteuid() == 0 else ""
        routes = f"<Route /cgi/>\nGatewayCgiDirectory {self.folder}/cgi\n</Route>" if routes is None else routes
        (self.folder / "gateway.conf").write_text(
            f"SessionFastInstance {self.instance}\nSessionFastDaemon {self.folder}/bin/session-fastd\n"
            f"SessionFast On\nSessionFastCacheSize 4M\n{user}\nGatewayListen unix:{self.socket}\n"
            f"GatewayCgiEnvironment PATH SF_MEETING\n{lines}\n{routes}\n".replace("{folder}", str(self.folder)))

    def script(self, name, text, mode=0o755):
        path = self.folder / "cgi" / name
        path.write_text(text.replace("{folder}", str(self.folder)))
        path.chmod(mode)

    # Life

    def start(self, nginx=True, handed_over=None, launcher=()):
        """`launcher`: a command that becomes the gateway; `handed_over`: ("systemd", a listening socket) or ("spawn-fcgi", such a socket or the path of one to make)."""
        environment = {**os.environ, "SECRET_OF_THE_GATEWAY": "1", "SF_MEETING": str(self.folder / "meeting")}
        command = [*launcher, build.program("session-fast-gateway", "fcgi_gateway"), "--config", self.folder / "gateway.conf"]
        way, listener = handed_over or (None, None)
        if way == "systemd":
            command = ["/bin/bash", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&{listener.fileno()}', "sh", *command]
        if way == "spawn-fcgi" and isinstance(listener, Path):
            command = ["/usr/bin/spawn-fcgi", "-n", "-s", listener, "-M", "0660", "--", *command]
            listener = subprocess.DEVNULL
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=environment,
                                            stdin=listener if way == "spawn-fcgi" else subprocess.DEVNULL,
                                            pass_fds=[listener.fileno()] if way == "systemd" else ())
        wait_until(lambda: self.process.poll() is not None or self.count("SF0701") > 0, "the gateway to start", 20)
        assert self.process.poll() is None, self.log_text()
        if nginx:
            self.start_nginx()
        return self

    def start_nginx(self):
        with open(self.folder / "console.log", "ab") as console:
            self.nginx = subprocess.Popen([NGINX, "-c", self.folder / "nginx.conf", "-e", self.nginx_log],
                                          stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                          start_new_session=True)
        wait_until(self._nginx_listens, "nginx to listen")

    def _nginx_listens(self):
        assert self.nginx.poll() is None, (self.folder / "console.log").read_text()
        try:
            Connection(self.port).close()
            return True
        except OSError:
            return False

    def reload(self):
        seen = self.count("SF0702") + self.count("SF0703")
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.count("SF0702") + self.count("SF0703") > seen, "the gateway to reload")

    def stop(self):
        self.process.terminate()
        return self.process.wait(20)

    def clean_up(self):
        for process in (self.nginx, self.process):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(5)
        left = processes.of_instance(self.folder)
        processes.kill(left)
        shutil.rmtree(self.folder)
        assert not left, f"processes left behind: {left}"

    # Looking at it

    def browser(self):
        return Browser(self.port)

    def connection(self):
        return Connection(self.port)

    def log_text(self):
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def count(self, text):
        return self.log_text().count(text)

    def resident(self):
        """Bytes of memory, and the most there ever were."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        values = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
        return int(values["VmRSS"]) * 1024, int(values["VmHWM"]) * 1024

    def status(self):
        with Daemon(self.instance / "daemon.sock") as daemon:
            return daemon.pairs("SESSION.STATUS")

    def spooled(self):
        """Bytes in files without a name."""
        return sum(self._spooled_in(file) for file in Path(f"/proc/{self.process.pid}/fd").iterdir())

    @staticmethod
    def _spooled_in(file):
        try:
            name = os.readlink(file)
            return file.stat().st_size if "/var/tmp/" in name or "/tmp/#" in name else 0
        except FileNotFoundError:  # closed since it was listed
            return 0

    def programs(self, name):
        """CGI programs that run."""
        return [process for process in processes.of_instance(self.folder) if f"./{name}" in process.command]

    def report(self):
        texts = [f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-4000:]}"
                 for path in (self.log, self.nginx_log) if path.exists()]
        return "\n".join(texts)


# A program that shows its environment.
ENVIRONMENT = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv -0\n"


def processes_of(server, name):
    """Programs of that name that the server has started, or they themselves."""
    return [process for process in processes.of_session(server.process.pid) if process.name == name]


def ask(gateway, *arguments, **options):
    return fastcgi.ask(gateway.socket, *arguments, **options)


def environment(answer):
    return dict(item.split("=", 1) for item in answer.body.decode().split("\0") if "=" in item)
