# SPDX-License-Identifier: Apache-2.0
"""The units of packaging/systemd: systemd takes them as they are, and hands the gateway its socket."""
import os
import shutil
import subprocess

from harness import build
from harness.gateway import ask
from harness.waiting import wait_until


def test_systemd_has_nothing_to_say_against_them(tmp_path):
    for unit in (*(build.BUILD / "packaging/systemd").glob("*.service"),
                 build.SOURCE / "packaging/systemd/session-fast-gateway.socket"):
        lines = [line.replace(line.split()[0], f"ExecStart={build.program('session-fastd', 'session_daemon')}")
                 if line.startswith("ExecStart=") else line for line in unit.read_text().splitlines()]
        (tmp_path / unit.name).write_text("\n".join(lines))
    units = sorted(tmp_path.iterdir())
    assert len(units) == 3
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"})
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_socket_of_systemd_is_served(gateways):
    gateway = gateways()
    configuration = gateway.folder / "gateway.conf"
    configuration.write_text(configuration.read_text().replace(f"unix:{gateway.socket}", "inherited"))
    with gateway.log.open("ab") as log:
        gateway.process = subprocess.Popen(
            [shutil.which("systemd-socket-activate"), "-l", gateway.socket, "-E", "PATH",
             build.program("session-fast-gateway", "fcgi_gateway"), "--config", configuration],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    wait_until(lambda: gateway.count("Listening on"), "systemd-socket-activate to listen")
    assert gateway.count("SF0701") == 0
    assert ask(gateway, "/cgi/probe").status == (0, 0)
    wait_until(lambda: gateway.count("SF0701"), "the gateway to say that it is ready")
