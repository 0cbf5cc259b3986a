# SPDX-License-Identifier: Apache-2.0
"""An authority of the test's own, and a certificate for the name localhost and for no number."""
import subprocess


class Certificates:
    def __init__(self, folder):
        self.folder = folder
        self.ca, self.certificate, self.key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self.run("req", "-x509", *key, "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", self.ca)
        self.run("req", *key, "-subj", "/CN=localhost", "-keyout", self.key, "-out", "server.csr")
        (folder / "names").write_text("subjectAltName=DNS:localhost\n")
        self.run("x509", "-req", "-in", "server.csr", "-CA", self.ca, "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                 "-extfile", "names", "-out", self.certificate)

    def run(self, *words):
        subprocess.run(["openssl", *map(str, words)], cwd=self.folder, check=True, timeout=60, capture_output=True,
                       stdin=subprocess.DEVNULL)

    def of_redis(self, port):
        """Lines of a redis.conf."""
        return (f"tls-port {port}", f"tls-cert-file {self.certificate}", f"tls-key-file {self.key}", f"tls-ca-cert-file {self.ca}",
                "tls-auth-clients no")
