# SPDX-License-Identifier: Apache-2.0
"""fcgiwrap beside a gateway, on the same programs: what is compared with it is measured, not remembered."""
import os
import shutil
import socket
import subprocess

from . import processes

PROGRAM = shutil.which("fcgiwrap", path="/usr/sbin:/usr/bin:/sbin:/bin")

# For `location` of Gateway: /wrapped/NAME behind the same nginx.
LOCATION = """
    location ~ ^/wrapped/(?<program>[^/]+)$ {
        fastcgi_pass unix:{folder}/fcgiwrap.sock;
        fastcgi_send_timeout 2s;
        include /etc/nginx/fastcgi_params;
        fastcgi_param SCRIPT_FILENAME {folder}/cgi/$program;
    }
"""


class Fcgiwrap:
    """One process on <folder>/fcgiwrap.sock: what holds it up is seen by whoever comes next."""

    def __init__(self, folder):
        self.folder = folder
        self.socket = folder / "fcgiwrap.sock"
        self.log = folder / "fcgiwrap.log"
        environment = {**os.environ, "SECRET_OF_THE_GATEWAY": "1"}
        with socket.socket(socket.AF_UNIX) as listener, self.log.open("ab") as log:
            listener.bind(str(self.socket))
            self.socket.chmod(0o666)
            listener.listen(64)
            self.process = subprocess.Popen([PROGRAM], stdin=listener.fileno(), stdout=log, stderr=log,
                                            start_new_session=True, env=environment,
                                            user="www-data" if os.geteuid() == 0 else None)

    def clean_up(self):
        processes.kill(processes.of_session(self.process.pid))
        self.process.wait(10)
