#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
`make bench`: runs the parts, writes their tables and JSON lines into a folder, and draws the plots. Never judges.

suite.py FOLDER [PART...]: all parts, or those that are named. $SF_BUILDDIR is the build. See docs/benchmarks/README.md.
"""
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("SF_BUILDDIR", ".")).resolve()
FULL = os.environ.get("BENCH_FULL", "") != ""
ROUNDS = os.environ.get("BENCH_ROUNDS", "5")
MILLISECONDS = os.environ.get("BENCH_MILLISECONDS", "200")

PREFIX = shlex.split(os.environ.get("BENCH_PREFIX", ""))  # such as "chrt -r 10", on a machine that has other work

IN_MEMORY = ["session-fast", "memcpy", "rwlock + hash", "LMDB"]
SMALL_SET = ["100/0", "95/5"]

# What bench_cache is asked for, one run each: a title and its arguments.
CACHE_RUNS = [
    ("everything, 100,000 sessions of 1 KiB", {}),
    ("half a kilobyte", {"bytes": 512, "workload": SMALL_SET, "target": IN_MEMORY}),
    ("four kilobytes", {"bytes": 4096, "workload": SMALL_SET, "target": IN_MEMORY}),
    ("10,000 sessions", {"sessions": 10000, "workload": SMALL_SET}),
    ("a million sessions", {"sessions": 1000000, "workload": SMALL_SET, "target": IN_MEMORY}),
    ("all sessions alike", {"popularity": 0, "workload": SMALL_SET, "target": IN_MEMORY}),
    ("more processes", {"workers": "4,8", "workload": ["95/5"]}),
    ("threads", {"threads": None, "workload": ["95/5"], "target": IN_MEMORY}),
    ("4,000 operations a second, latency since each was due",
     {"rate": 4000, "workload": ["95/5"], "milliseconds": 1000, "rounds": 3}),
]
if FULL:
    CACHE_RUNS += [(f"{sessions} sessions of {size} bytes", {"sessions": sessions, "bytes": size})
                   for sessions in (10000, 100000, 1000000) for size in (512, 1024, 4096)]

MIXES = ["read_heavy", "stable_data", "users", "balanced", "periodic", "write_heavy", "every_request"]
MIX_SECONDS = os.environ.get("BENCH_MIX_SECONDS", "5")
OTHER_SCENARIOS = ["lifecycle", "page_views", "concurrent", "one_session", "clients", "rate", "batch", "journal", "memory"]

# Instructions in these functions and all they call: name, workload, toggled function.
HITS = [("read of 1 KiB, whole copy", "100/0", "sf_l1_get"),
        ("change of one field", "field change", "sf_l1_apply"),
        ("read of one field", "field read", "sf_l1_get_field")]
HIT_OPERATIONS = 20000


def flatten(options):
    words = []
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name}"] + ([] if one is None else [str(one)])
    return words


def say(text, *files):
    for file in (sys.stdout, *files):
        print(text, file=file, flush=True)


class Parts:
    def __init__(self, folder):
        self.folder = folder
        self.scratch = Path(tempfile.mkdtemp(prefix="sf-bench-", dir=BUILD))

    def clean_up(self):
        shutil.rmtree(self.scratch)

    def run_shown(self, words, table, **options):
        """Output to the screen and into `table`; whether it went well."""
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, **options)
        for line in process.stdout:
            say(line.rstrip("\n"), table)
        return process.wait() == 0

    def machine(self):
        model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
        memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
        facts = {"processors": os.cpu_count(), "model": model[1] if model else platform.machine(),
                 "memory_gib": round(int(memory[1]) / (1 << 20)), "kernel": platform.release(),
                 "load_average": os.getloadavg()[0]}
        (self.folder / "machine.json").write_text(json.dumps(facts) + "\n")

    def cache(self):
        lines = self.folder / "cache.jsonl"
        lines.unlink(missing_ok=True)
        with (self.folder / "cache.txt").open("w") as table:
            for title, options in CACHE_RUNS:
                say(f"\n==== {title}", table)
                asked = {"rounds": ROUNDS, "milliseconds": MILLISECONDS, "disk": self.scratch, "json": lines, **options}
                if not self.run_shown([*PREFIX, BUILD / "bench/bench_cache", *flatten(asked)], table):
                    say("  FAILED", table)

    def scenarios(self):
        with (self.folder / "scenarios.txt").open("w") as table:
            for name in MIXES + OTHER_SCENARIOS:
                words = [*PREFIX, BUILD / "session-fast", "bench", name, "--daemon", BUILD / "session-fastd"]
                words += ["--seconds", MIX_SECONDS] if name in MIXES else []
                if not self.run_shown(words, table, env={**os.environ, "TMPDIR": str(self.scratch)}):
                    say("  FAILED", table)
                say("", table)

    def micro(self):
        """What stands alone: JSON lines on standard output."""
        with (self.folder / "l1.jsonl").open("w") as lines:
            subprocess.run([BUILD / "bench/bench_l1"], stdout=lines, check=False)

    def stores(self):
        with (self.folder / "stores.txt").open("w") as table:
            words = [*PREFIX, sys.executable, SOURCE / "bench/bench_stores.py", self.folder / "stores.jsonl"]
            if not self.run_shown(words, table):
                say("  FAILED", table)

    def httpd(self):
        with (self.folder / "httpd.jsonl").open("w") as lines:
            subprocess.run([sys.executable, SOURCE / "bench/bench_httpd.py"], stdout=lines, check=False)

    def gateway(self):
        with (self.folder / "gateway.txt").open("w") as table:
            words = [*PREFIX, sys.executable, SOURCE / "bench/bench_gateway.py", self.folder / "gateway.jsonl"]
            if not self.run_shown(words, table):
                say("  FAILED", table)

    def instructions(self):
        with (self.folder / "instructions.txt").open("w") as table:
            if shutil.which("valgrind") is None:
                say("instructions: valgrind is missing: apt-get install valgrind", table)
                return
            for name, workload, function in HITS:
                count = self.count_instructions(workload, function)
                say(f"{name:30} {function:18} {count or '-':>8} instructions", table)
            self.perf(table)

    def count_instructions(self, workload, function):
        """By the worker alone: it writes an output of its own, that of the parent has filled the cache."""
        pattern = self.scratch / "callgrind"
        words = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={pattern}.%p", f"--toggle-collect={function}",
                 BUILD / "bench/bench_cache", *flatten({"target": "session-fast", "sessions": 2000, "workers": 1, "rounds": 1,
                 "operations": HIT_OPERATIONS, "workload": workload, "disk": self.scratch})]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process.wait()
        total = None
        for output in self.scratch.glob("callgrind.*"):
            found = re.search(r"^(?:summary|totals): (\d+)", output.read_text(), re.MULTILINE)
            if found and output.name != f"callgrind.{process.pid}" and int(found[1]) > 0:
                total = round(int(found[1]) / -(-HIT_OPERATIONS // 64) / 64)
            output.unlink()
        return total

    def perf(self, table):
        """Where the machine lets us look at its counters; a virtual one seldom does."""
        events = "instructions,cycles,cache-misses,L1-dcache-load-misses"
        words = ["perf", "stat", "-x,", "-e", events, BUILD / "bench/bench_cache",
                 *flatten({"target": "session-fast", "workers": 1, "rounds": 1, "operations": 2000000, "workload": "100/0",
                           "disk": self.scratch})]
        if shutil.which("perf") is None:
            say("perf is missing: apt-get install linux-perf", table)
            return
        output = subprocess.run(words, capture_output=True, text=True, check=False).stderr
        for line in output.splitlines():
            fields = line.split(",")
            if len(fields) > 2:
                say(f"perf stat, 2,000,000 reads and the filling before them: {fields[2]:24} {fields[0]}", table)

    def plots(self):
        subprocess.run([sys.executable, SOURCE / "bench/plots.py", self.folder], check=False)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    parts = Parts(folder)
    try:
        for name in sys.argv[2:] or ["machine", "cache", "scenarios", "micro", "stores", "httpd", "gateway", "instructions", "plots"]:
            getattr(parts, name)()
    finally:
        parts.clean_up()


if __name__ == "__main__":
    main()
