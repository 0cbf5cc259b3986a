# SPDX-License-Identifier: Apache-2.0
"""What programs that were built with sanitizers report, each process into a file of its own."""
import os
import shutil
import tempfile
from pathlib import Path


class Sanitizers:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sf-sanitizers-"))
        self.folder.chmod(0o1777)  # servers become another user
        for name, options in (("ASAN", ""), ("UBSAN", "print_stacktrace=1:"), ("TSAN", "second_deadlock_stack=1:")):
            os.environ[f"{name}_OPTIONS"] = f"{options}log_path={self.folder}/report"

    def take_reports(self):
        """All there are now; they are shown once."""
        files = sorted(self.folder.iterdir())
        texts = [f"--- {file.name}\n{file.read_text('utf-8', 'replace')}" for file in files]
        for file in files:
            file.unlink()
        return "\n".join(texts)

    def close(self):
        shutil.rmtree(self.folder)
