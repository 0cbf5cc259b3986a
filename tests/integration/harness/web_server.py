# SPDX-License-Identifier: Apache-2.0
"""nginx or lighttpd in the folder of a gateway, with the sample configurations; and cgi-fcgi, which is none at all."""
import os
import subprocess

from . import processes
from .client import Browser, Connection, Response
from .waiting import wait_until

NGINX = """
{user}
pid {folder}/nginx.pid;
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
    {around}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/php;
        {text}
    }}
}}
"""

LIGHTTPD = """
server.document-root = "{folder}/php"
server.bind = "127.0.0.1"
server.port = {port}
server.upload-dirs = ( "{folder}/tmp" )
{user}
{text}
"""


class WebServer:
    """
    `name`: nginx or lighttpd; `text`: what stands in its configuration beside what it needs to start; `around`: the same,
    outside nginx's server.
    """

    def __init__(self, name, folder, text, around=""):
        is_root = os.geteuid() == 0
        self.name, self.folder, self.port = name, folder, processes.free_port()
        template, user, arguments = {
            "nginx": (NGINX, "user www-data;", ["-e", folder / "nginx.log", "-c"]),
            "lighttpd": (LIGHTTPD, 'server.username = "www-data"\nserver.groupname = "www-data"', ["-D", "-f"]),
        }[name]
        configuration = folder / f"{name}.conf"
        configuration.write_text(template.format(folder=folder, port=self.port, text=text, around=around,
                                                 user=user if is_root else ""))
        with open(folder / "console.log", "ab") as console:
            self.process = subprocess.Popen([f"/usr/sbin/{name}", *arguments, configuration], stdin=subprocess.DEVNULL,
                                            stdout=console, stderr=console, start_new_session=True)
        wait_until(self._listens, f"{name} to listen")

    def _listens(self):
        assert self.process.poll() is None, self.report()
        try:
            Connection(self.port).close()
            return True
        except OSError:
            return False

    def browser(self):
        return Browser(self.port)

    def report(self):
        return "\n".join(f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-4000:]}" for path in
                         (self.folder / "console.log", self.folder / f"{self.name}.log") if path.exists())

    def clean_up(self):
        print(self.report())
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)


class CgiFcgiBrowser(Browser):
    """Each request is one run of cgi-fcgi, which takes it as a CGI program does; `root` is what a web server would say."""

    def __init__(self, socket, root):
        super().__init__(port=0)
        self.socket, self.root = socket, root

    def _exchange(self, method, target, headers, body):
        path, _, query = target.partition("?")
        variables = {"REQUEST_METHOD": method, "REQUEST_URI": target, "SCRIPT_NAME": path, "QUERY_STRING": query,
                     "SCRIPT_FILENAME": f"{self.root}{path}", "DOCUMENT_ROOT": str(self.root), "HTTP_HOST": "localhost",
                     "SERVER_PROTOCOL": "HTTP/1.1", "GATEWAY_INTERFACE": "CGI/1.1", "CONTENT_LENGTH": str(len(body))}
        for name, value in headers:
            name = name.upper().replace("-", "_")
            variables[name if name == "CONTENT_TYPE" else f"HTTP_{name}"] = value
        done = subprocess.run(["/usr/bin/cgi-fcgi", "-bind", "-connect", self.socket], env=variables, input=body,
                              capture_output=True, timeout=20, check=True)
        head, end, text = done.stdout.partition(b"\r\n\r\n")
        assert end, done
        pairs = [tuple(line.split(": ", 1)) for line in head.decode("latin-1").split("\r\n")]
        return Response(int(dict(pairs).get("Status", "200").split()[0]), pairs, text)
