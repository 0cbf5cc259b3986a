# SPDX-License-Identifier: Apache-2.0
"""
Cores of httpd's children that crashed, read with gdb before the test's folder goes.

CoreDumpDirectory keeps children dumpable after setuid, whatever fs.suid_dumpable says, and is where they go to crash. A
kernel.core_pattern that sends cores elsewhere is left as it is: there is no backtrace then, and the reason in its place.
"""
import re
import resource
import shutil
import subprocess
from pathlib import Path

# The main thread of a child that was told to end at once closes the sockets of its other threads, which may be freeing
# them: docs/decisions/0013. httpd's handler sends the signal to the process again. gdb's thread 1 is the one that got it
# then: the same one, or any other if that one was still in the handler.
CLOSES_FREED_SOCKET = re.compile(
    r"Thread (1 .*\n|\d+ .*\n#0 .*kill \(.*\n#1 +<signal handler called>\n)"
    r"(#\d+ .*\b(apr_os_sock_get|apr_socket_timeout_set|apr_socket_close|apr_pool_cleanup_(kill|run)) \(.*\n)+"
    r"(#\d+ .*(/mod_mpm_event\.so|\bevent\.c:\d+)\n)+"
    r"#\d+ .*\bap_run_mpm \(.*\n"
    r"#\d+ .*\bmain \(.*\n?")


def allowed(command):
    """The command, for a process that may leave cores, as far as the hard limit goes, and so may what it starts."""
    return ["sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$@"', "sh", *command]


def backtrace(folder, program, pid):
    """All threads of what was process `pid`; or why there is nothing to see."""
    if not shutil.which("gdb"):
        return "no backtrace: gdb is not installed"
    for core in folder.iterdir():
        result = subprocess.run(["gdb", "-batch", "-nx", "-ex", "set print frame-arguments presence",
                                 "-ex", "thread apply all -ascending bt", program, core], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, errors="replace", timeout=60, check=False)
        text = result.stdout
        if f"[New LWP {pid}]" in text:
            return re.sub(r"(?m)^warning: .*\n", "", text[text.find("\nThread 1 ") + 1:])
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    limit = resource.getrlimit(resource.RLIMIT_CORE)[1]
    return (f"no backtrace: no core of process {pid}, or a later one took its place "
            f"(kernel.core_pattern is {pattern}, the hard limit of cores {limit})")


def is_httpds_own(trace, pid):
    """Whether the main thread of the process crashed in what httpd is known to do whatever modules it has."""
    return any(CLOSES_FREED_SOCKET.fullmatch(thread) for thread in trace.split("\n\n")
               if re.match(rf"Thread .*\bLWP {pid}\)", thread))
