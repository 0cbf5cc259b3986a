# SPDX-License-Identifier: Apache-2.0
"""Becomes the program that the arguments name, in a kernel without pidfd_open (ENOSYS), as Linux before 5.3 is."""
import ctypes
import errno
import os
import struct
import sys

PIDFD_OPEN = 434
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7fff0000, 0x00050000


def step(code, if_equal, otherwise, value):
    return struct.pack("HBBI", code, if_equal, otherwise, value)


FILTER = (step(LOAD_NUMBER, 0, 0, 0) + step(JUMP_IF_EQUAL, 0, 1, PIDFD_OPEN)
          + step(RETURN, 0, 0, FAIL | errno.ENOSYS) + step(RETURN, 0, 0, ALLOW))
steps = ctypes.create_string_buffer(FILTER, len(FILTER))
program = ctypes.create_string_buffer(struct.pack("HP", len(FILTER) // 8, ctypes.addressof(steps)))
libc = ctypes.CDLL(None, use_errno=True)
for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)):
    if libc.prctl(*arguments) != 0:
        sys.exit(f"prctl{arguments}: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[1], sys.argv[1:])
