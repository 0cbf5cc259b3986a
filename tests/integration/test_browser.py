# SPDX-License-Identifier: Apache-2.0
"""The demo in a real browser: headless Chromium, driven by browser/demo.mjs."""
import os
import re
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
    installed = folder / "node_modules/.package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (BROWSER / "package-lock.json").stat().st_mtime:
        install_packages(folder)
    return folder / "demo.mjs"


def install_packages(folder):
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"], cwd=folder,
                          capture_output=True, text=True, timeout=120)
    if re.search("npm (ERR!|error) code (EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ENETUNREACH|ETIMEDOUT)", done.stderr, re.I):
        pytest.skip("npm cannot reach its registry, and playwright-core is not here yet")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("server", ["httpd", "nginx"])
def test_demo_in_chromium(script, demo, tmp_path, server):
    running = demo()
    urls = {"httpd": running.wait_for_url(), "nginx": running.url_of_nginx()}
    done = subprocess.run(["node", script, urls[server]], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "HOME": str(tmp_path), "SF_CHROMIUM": CHROMIUM})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == 9
