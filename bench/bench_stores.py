#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Each backend as session-fast uses it, beside a plain client of the same server in the same run: loads and writes by size of
the batch, a session's life step by step, what of an application's changes reaches the store. Medians of the rounds, and
of the ratios within each round. Every answer is looked at.

bench_stores.py LINES [STORE...]: tables on standard output, a line of JSON for each figure into the file LINES. Without
names all of STORES, each on a server that is started for it; or URLs of servers that are there. Needs the build in $SF_BUILDDIR.
"""
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/integration"))

from harness import build  # noqa: E402
from harness.alone import Alone  # noqa: E402
from harness.memcached import Memcached  # noqa: E402
from harness.mysql import MySQL  # noqa: E402
from harness.postgresql import PostgreSQL  # noqa: E402
from harness.redis import Redis  # noqa: E402
from harness.redis_cache import RedisCache  # noqa: E402
from harness.waiting import wait_until  # noqa: E402

ROUNDS = os.environ.get("BENCH_ROUNDS", "5")
MILLISECONDS = os.environ.get("BENCH_MILLISECONDS", "100")
SESSIONS = os.environ.get("BENCH_SESSIONS", "200")
PROGRAM = "bench/bench_stores"


@contextlib.contextmanager
def nothing():
    yield "memory:bench", ""


@contextlib.contextmanager
def sqlite():
    yield "sqlite:bench.db", ""


@contextlib.contextmanager
def file():
    yield "file:bench.json", ""


@contextlib.contextmanager
def cleaned_up(server):
    try:
        yield server.start()
    finally:
        server.clean_up()


@contextlib.contextmanager
def postgresql():
    with cleaned_up(PostgreSQL()) as server:
        server.ask("CREATE DATABASE sessions")
        yield server.url("sessions", "sslmode=disable"), ""


@contextlib.contextmanager
def mysql():
    with cleaned_up(MySQL()) as server:
        server.ask("CREATE USER app@localhost; CREATE DATABASE sessions; GRANT ALL ON sessions.* TO app@localhost")
        yield server.url("sessions"), ""


@contextlib.contextmanager
def redis():
    with cleaned_up(Redis()) as server:
        yield server.url(), ""


@contextlib.contextmanager
def postgresql_and(cache):
    with postgresql() as (url, _), cleaned_up(cache) as l2:
        yield url, f"SessionFastL2 {l2.url()}"


STORES = {"memory": nothing, "file": file, "SQLite": sqlite, "PostgreSQL": postgresql, "MariaDB": mysql, "Redis": redis,
          "PostgreSQL + L2 memcached": lambda: postgresql_and(Memcached()),
          "PostgreSQL + L2 Redis": lambda: postgresql_and(RedisCache())}
# In the tables; where the plain client has another step for ours, which.
STEPS = {"create": "create", "first read": "first read", "first read again": "first read", "warm read": "warm read", "save": "save",
         "save, stored": "save", "end": "end", "end, in memory": "end", "create, behind": None, "save, behind": None}
LABELS = ["us", "plain_us", "cached_us", "store_only_us", "ratio", "cached_ratio", "store_only_ratio"]
TOTAL = {"create": 1, "first read": 1, "warm read": 99, "save": 1, "end": 1}


class Found:
    """What bench_stores has said: figures by what was measured, who did it, and how many in a call."""

    def __init__(self):
        self.figures = {}

    def run(self, *words):
        """False: it was not measured, and standard error says why."""
        done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True, timeout=600, check=False)
        for line in done.stdout.splitlines():
            row = json.loads(line)
            self.figures.setdefault((row["what"], row["who"], row["count"]), []).append(row["us"])
        return done.returncode == 0

    def median(self, what, who="session-fast", count=1):
        found = self.figures.get((what, who, count))
        return statistics.median(found) if found else None

    def ratio(self, what, than, who, count=1):
        """How many times as long `who` takes for one."""
        ours, theirs = self.figures.get((what, "session-fast", count)), self.figures.get((than, who, 1))
        return statistics.median(b * count / a for a, b in zip(ours, theirs)) if ours and theirs else None


def text(value, width, digits=2):
    if value is None:
        return "-".rjust(width)
    return f"{value:.{digits if value < 100 else 1 if value < 1000 else 0}f}".rjust(width)


class Bench:
    def __init__(self, lines):
        self.lines = lines
        self.program = build.built(build.BUILD, PROGRAM)
        self.found = {}  # by store

    def measure(self, name, opened):
        """One after the other: batches without a daemon, then with one."""
        found = self.found[name] = Found()
        options = ["--rounds", ROUNDS, "--milliseconds", MILLISECONDS, "--sessions", SESSIONS]
        folder = Path(tempfile.mkdtemp(prefix="sf-bench-", dir=build.BUILD))
        with opened as (url, lines):
            try:
                found.is_whole = found.run(self.program, "batches", url, folder, *options)
                alone = Alone(f"SessionFastStateDirectory {folder}\n{lines}", url, "64M")
                (folder / "bare").mkdir(mode=0o700)
                bare = Alone(f"SessionFastStateDirectory {folder}/bare", url, "0")
                alone.user = bare.user = "root"
                with cleaned_up(alone), cleaned_up(bare), memcached_beside(alone.folder) as cache:
                    config = ["--config", alone.config, *options]
                    found.is_whole &= found.run(self.program, "steps", url, folder, *config, "--bare", bare.config, *cache)
                    found.is_whole &= found.run(self.program, "changes", url, folder, *config)
            finally:
                shutil.rmtree(folder)

    def write(self, store, what, **values):
        self.lines.write(json.dumps({"bench": "stores", "store": store, "what": what, **values}) + "\n")

    def report(self):
        self.report_batches("load", "loads on a miss")
        self.report_batches("write", "batch writes")
        self.report_steps()
        self.report_changes()
        for name, found in self.found.items():
            if not found.is_whole:
                print(f"  {name}: NOT MEASURED TO THE END")

    def report_batches(self, what, title):
        counts = sorted({count for found in self.found.values() for asked, who, count in found.figures
                         if asked == what and who == "session-fast"})
        print(f"\n{title}: us a call, rows a second, times the rows of the plain client; by sessions in a call")
        print(f"  {'':25} {'plain us':>9}" + "".join(f"{count:>12}{'rows/s':>10}{'ratio':>8}" for count in counts))
        for name, found in self.found.items():
            row = f"  {name:25} {text(found.median(what, 'plain'), 9)}"
            for count in counts:
                us = found.median(what, count=count)
                ratio = found.ratio(what, what, "plain", count)
                row += f"{text(us, 12)}{text(us and count * 1e6 / us, 10, 0)}{text(ratio, 8)}"
                if us:
                    self.write(name, what, sessions=count, us=round(us, 2), rows_per_second=round(count * 1e6 / us),
                               plain_us=found.median(what, "plain"), ratio=ratio and round(ratio, 3))
            print(row)

    def report_steps(self):
        print("\na session's life through cache and daemon, us each: ours, plain client, plain client with memcached,"
              " ours with SessionFastCacheSize 0; how many times as long these take")
        for name, found in self.found.items():
            print(f"  {name}")
            for step, than in STEPS.items():
                if step == "first read again" and "L2" not in name:
                    continue
                figures = {"us": found.median(step), "plain_us": than and found.median(than, "plain"),
                           "cached_us": than and found.median(than, "cached"),
                           "store_only_us": than and found.median(than, "store only"),
                           "ratio": than and found.ratio(step, than, "plain"),
                           "cached_ratio": than and found.ratio(step, than, "cached"),
                           "store_only_ratio": than and found.ratio(step, than, "store only")}
                self.print_step(name, step, figures)
            self.print_step(name, "1 life, 100 reads", self.total(found))

    def total(self, found):
        """Of the medians."""
        sums = {}
        for who, label in (("session-fast", "us"), ("plain", "plain_us"), ("cached", "cached_us"), ("store only", "store_only_us")):
            medians = [found.median(step, who) for step in TOTAL]
            sums[label] = None if None in medians else sum(us * times for us, times in zip(medians, TOTAL.values()))
        ours = sums["us"]
        for label, them in (("ratio", "plain_us"), ("cached_ratio", "cached_us"), ("store_only_ratio", "store_only_us")):
            sums[label] = sums[them] / ours if ours and sums[them] else None
        return sums

    def print_step(self, name, step, figures):
        print(f"    {step:20}" + "".join(text(figures[label], 11) for label in LABELS))
        self.write(name, step, **{label: value and round(value, 3) for label, value in figures.items()})

    def report_changes(self):
        print("\n2,000 changes of 100 sessions (zipf 0.99) in 2 s, all defaults: what reaches the store of 1,000 (plain: 1,000 and 1,000)")
        print(f"  {'':25}{'records':>10}{'transactions':>14}")
        for name, found in self.found.items():
            records, writes = (found.median(f"{what} of 1,000 changes", count=100) for what in ("records", "transactions"))
            print(f"  {name:25}{text(records, 10, 0)}{text(writes, 14, 0)}")
            self.write(name, "1,000 changes", records=records, transactions=writes)


@contextlib.contextmanager
def memcached_beside(folder):
    """For the plain client; nothing where it is not installed."""
    if shutil.which("memcached") is None:
        yield []
        return
    path = folder / "memcached.sock"
    process = subprocess.Popen(["memcached", "-u", "root", "-s", path, "-m", "64"], stdin=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        wait_until(lambda: path.exists() or process.poll() is not None, "memcached to be ready", 30)
        yield ["--cache", path]
    finally:
        process.kill()
        process.wait(20)


def main():
    names = sys.argv[2:] or list(STORES)
    print(f"load average {os.getloadavg()[0]:.1f}; {ROUNDS} rounds; values of 1 KiB")
    with open(sys.argv[1], "w") as lines:
        bench = Bench(lines)
        for name in names:
            print(f"  {name.split(':')[0]} ...", file=sys.stderr, flush=True)
            opened = STORES[name]() if name in STORES else contextlib.nullcontext((name, ""))
            bench.measure(name if name in STORES else name.split(":")[0], opened)
        bench.report()


if __name__ == "__main__":
    main()
