# SPDX-License-Identifier: Apache-2.0
"""Where servers of the tests have their data."""
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 2 << 30
in_memory = True  # False: a benchmark waits for the disk as everybody does


def data_folder(prefix):
    """In memory where there is room: a sync on a disk may wait for seconds for what others have written."""
    has_room = in_memory and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    return Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if has_room else None))
