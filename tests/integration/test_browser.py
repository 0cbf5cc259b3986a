# SPDX-License-Identifier: Apache-2.0
"""The demo in a real browser: headless Chromium, driven by browser/demo.mjs."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import build

BROWSER = Path(__file__).parent / "browser"
CHROMIUM = os.environ.get("SF_CHROMIUM", "/usr/bin/chromium")


@pytest.fixture(scope="module")
def script():
    """browser/ with its packages beside it: outside of the source, and kept from one run to the next."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    if not os.access(CHROMIUM, os.X_OK):
        pytest.skip(f"{CHROMIUM} is not installed (SF_CHROMIUM names another)")
    folder = build.BUILD / "tests/integration/browser-run"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "demo.mjs"):
        shutil.copy(BROWSER / name, folder)
    if not (folder / "node_modules/playwright-core/package.json").exists():
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder,
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    return folder / "demo.mjs"


def test_demo_in_chromium(script, demo, tmp_path):
    url = demo().wait_for_url()
    done = subprocess.run(["node", script, url], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "HOME": str(tmp_path), "SF_CHROMIUM": CHROMIUM})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == 9
