# SPDX-License-Identifier: Apache-2.0
"""An HTTP application behind mod_proxy_http: says which headers it was sent and answers with those it was asked for."""
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = "\0".join(f"{name.lower()}={value}" for name, value in self.headers.items()).encode()
        self.send_response(200)
        for name, value in parse_qsl(urlsplit(self.path).query):
            if name == "header":
                header, _, text = value.partition(":")
                self.send_header(header, text.strip())
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Backend:
    def __init__(self, application=Application):
        self.application = application

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.application)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)
