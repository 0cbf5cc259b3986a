# SPDX-License-Identifier: Apache-2.0
"""A child of httpd that crashes fails its test, with a backtrace; nothing is excused but what httpd does on its own."""
import re
import shutil
import signal

import pytest

from harness import cores
from harness.processes import send
from harness.servers import MPMS, Servers
from harness.waiting import wait_until

APR = "from /lib/x86_64-linux-gnu/libapr-1.so.0"
EVENT = "from /usr/lib/apache2/modules/mod_mpm_event.so"
OURS = "from /tmp/sf-test-bwkq1z5c/bin/mod_session_fast.so"

HTTPDS_OWN = f"""\
Thread 1 (Thread 0x7f424fc8f780 (LWP 26507)):
#0  0x00007f424ff0f180 in apr_os_sock_get () {APR}
#1  0x00007f424fc5006c in ?? () {EVENT}
#2  0x00007f424fc51507 in ?? () {EVENT}
#3  0x0000564310cce850 in ap_run_mpm ()
#4  0x0000564310cc61c2 in main ()

Thread 2 (Thread 0x7f41f87e86c0 (LWP 26628)):
#0  0x00007f424fd90753 in ?? () {OURS}
"""

# The main thread is still in httpd's handler, and another one got what it sends itself.
IN_HANDLER = f"""\
Thread 1 (Thread 0x7f41f87e86c0 (LWP 26628)):
#0  0x00007f424fd90753 in ?? () {OURS}

Thread 2 (Thread 0x7f424fc8f780 (LWP 26507)):
#0  0x00007f5742e38267 in __GI_kill () at ../sysdeps/unix/syscall-template.S:120
#1  <signal handler called>
#2  0x00007f424ff0f50f in apr_socket_timeout_set () {APR}
#3  0x00007f424fc500bd in ?? () {EVENT}
#4  0x0000564310cce850 in ap_run_mpm ()
#5  0x0000564310cc61c2 in main ()
"""

IN_CLEANUP = HTTPDS_OWN.replace("#0  0x00007f424ff0f180 in apr_os_sock_get ()", f"""\
#0  0x00007f5d6d9fb663 in apr_pool_cleanup_kill () {APR}
#1  0x00007f5d6d9fb721 in apr_pool_cleanup_run ()""")

NOT_HTTPDS_OWN = {
    "another thread": HTTPDS_OWN.replace("Thread 1", "Thread 3").replace("Thread 2", "Thread 1"),
    "another process": HTTPDS_OWN.replace("LWP 26507", "LWP 265070"),
    "another call": HTTPDS_OWN.replace("apr_os_sock_get", "apr_pool_destroy"),
    "below that call": HTTPDS_OWN.replace("#0 ", f"#0  0x00007f424fd90753 in ?? () {OURS}\n#1 ", 1),
    "another module": HTTPDS_OWN.replace(f"51507 in ?? () {EVENT}", f"51507 in ?? () {OURS}"),
    "another phase": HTTPDS_OWN.replace("ap_run_mpm", "ap_run_post_config"),
    "another handler": IN_HANDLER.replace("__GI_kill", "__GI___libc_read"),
    "no core": "no backtrace: gdb is not installed",
}


@pytest.mark.parametrize("mpm", MPMS)
def test_a_crash_comes_with_a_backtrace(probe, mpm):
    with pytest.raises(AssertionError, match="Segmentation") as failure, Servers(probe) as servers:
        server = servers.start(mpm)
        victim = server.workers()[0].pid
        send(victim, signal.SIGSEGV)
        wait_until(lambda: server.count_in_log(f"child pid {victim} exit signal"), "httpd to see the crash")
    text = str(failure.value)
    if "no backtrace" in text:
        pytest.skip(re.search("no backtrace.*", text)[0])
    assert f"LWP {victim})" in text
    assert "ap_run_mpm" in text


def test_without_gdb(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "gdb" in cores.backtrace(tmp_path, "/bin/true", 1)


def test_without_a_core(tmp_path):
    assert "no backtrace" in cores.backtrace(tmp_path, "/bin/true", 1)


@pytest.mark.parametrize("trace", [HTTPDS_OWN, IN_HANDLER, IN_CLEANUP], ids=["plain", "in the handler", "in a cleanup"])
def test_what_is_httpds_own(trace):
    assert cores.is_httpds_own(trace, 26507)


@pytest.mark.parametrize("trace", NOT_HTTPDS_OWN.values(), ids=NOT_HTTPDS_OWN)
def test_what_is_not(trace):
    assert not cores.is_httpds_own(trace, 26507)
