# SPDX-License-Identifier: Apache-2.0
"""What the build has made, and what the system offers."""
import os
import shlex
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("SF_BUILDDIR", SOURCE)).resolve()
# Another build that programs are taken from: one with sanitizers, which httpd could not load the module from.
PROGRAMS = Path(os.environ.get("SF_PROGRAMS_BUILDDIR") or BUILD).resolve()
APPLICATIONS = SOURCE / "tests/integration/applications"
HTTPD = shutil.which("apache2", path="/usr/sbin:/usr/bin:/sbin:/bin")
HTTPD_MODULES = Path("/usr/lib/apache2/modules")


def built(folder, *candidates):
    """The first that exists."""
    for candidate in candidates:
        path = folder / candidate
        if path.is_file() and path.read_bytes()[:4] == b"\x7fELF":
            return path
    raise FileNotFoundError(f"none of {', '.join(candidates)} in {folder}: run make, and set SF_BUILDDIR")


def module():
    return built(BUILD, "mod_session_fast.so")


def program(name, folder):
    return built(PROGRAMS, name, f"{folder}/{name}")


def php_fpm():
    """None: not installed."""
    found = sorted(Path("/usr/sbin").glob("php-fpm[0-9]*"))
    return found[-1] if found else None


def compile_c(source, target, *options):
    subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-O1", "-Wall", "-Wextra", "-Werror", *options, "-o", target, source],
                   check=True, timeout=60)
