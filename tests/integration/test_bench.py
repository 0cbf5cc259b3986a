# SPDX-License-Identifier: Apache-2.0
"""session-fast bench and bench_cache: the right number of everything, every answer verified. Never their speed."""
import json
import os
import signal
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import build
from harness.alone import Alone
from harness.waiting import wait_until

MIXES = ["read_heavy", "stable_data", "balanced", "periodic", "write_heavy", "every_request"]


@pytest.fixture
def folder():
    """Of a short name: it becomes part of options."""
    path = Path(tempfile.mkdtemp(prefix="sf-test-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def bench(folder):
    """Runs a scenario with its temporary folders below `folder`; returns its result, or what it complained of."""
    daemon = build.program("session-fastd", "session_daemon")

    def run(*arguments, options=(), code=0):
        words = [build.program("session-fast", "command_line"), "--json", *options, "bench", *arguments, "--daemon", daemon]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120,
                              env={**os.environ, "TMPDIR": str(folder)})
        assert done.returncode == code, done.stdout + done.stderr
        assert not list(folder.iterdir()), "something was left behind"
        return json.loads(done.stdout) if code == 0 else done.stderr

    return run


def rows(result, what, by="session-fast"):
    return [row for row in result["rows"] if row["what"] == what and row["by"] == by]


@pytest.mark.parametrize("scenario", MIXES)
def test_every_change_of_a_mix_is_counted_once(bench, scenario):
    result = bench(scenario, "--seconds", "1", "--sessions", "200")
    assert result["right"]
    changes = result["facts"]["changes"]
    assert changes["expected"] == changes["found"] == rows(result, "change")[0]["count"] > 0
    assert rows(result, "create")[0]["count"] == 200
    assert rows(result, "read", "store alone")[0]["count"] > 0


def test_many_users(bench):
    result = bench("users", "--seconds", "1", "--sessions", "300", "--workers", "120")
    assert result["right"]
    assert result["facts"]["changes"]["found"] == rows(result, "change")[0]["count"]


def test_a_life_has_one_create_a_hundred_reads_and_one_end(bench):
    result = bench("lifecycle")
    assert result["right"]
    for by in ("session-fast", "store alone"):
        lives = 10 + 100 + 1000
        assert rows(result, "create", by)[0]["count"] == lives
        assert rows(result, "first read", by)[0]["count"] == lives
        assert rows(result, "read", by)[0]["count"] == 99 * lives
        assert rows(result, "end", by)[0]["count"] == lives


def test_pages_are_counted_exactly(bench):
    assert bench("page_views")["facts"]["one user's page views"] == {"expected": 100, "found": 100}
    assert bench("one_session")["facts"]["changes of one session"] == {"expected": 1000, "found": 1000}
    concurrent = bench("concurrent")["facts"]
    assert concurrent["a session each"] == {"expected": 1500, "found": 1500}
    assert concurrent["one session for all"] == {"expected": 1500, "found": 1500}


def test_a_rate_is_kept_and_what_reaches_the_store_is_counted(bench):
    result = bench("rate", "--seconds", "2", "--rate", "500", "--sessions", "100")
    facts = result["facts"]
    assert facts["changes"] == {"expected": 1000, "found": 1000} == facts["counted"]
    assert facts["success_percent"] == 100
    assert facts["achieved_per_second"] == 500
    assert 100 <= facts["store: records written"] <= 1000  # each session at least once, no change twice
    # A write is a transaction: one for ten changes, and at a rate like this for more.
    assert facts["store: transactions for a change"] <= 0.1


def test_outage_of_the_store_loses_nothing_and_costs_no_memory(bench):
    """
    More than the cache may hold of what the store lacks: the rest moves to the journal, as soon as the store is 2 s over
    the flush delay.
    """
    result = bench("outage", "--seconds", "12", "--rate", "2000", "--sessions", "8000", "--bytes", "3000")
    facts = result["facts"]
    assert result["right"], facts
    assert facts["sessions that the store took meanwhile"]["found"] == 0
    assert facts["counted in the store"] == facts["counted through the cache"] == {"expected": 24000, "found": 24000}
    assert facts["moved_to_the_journal"] > 0 and facts["journal_bytes_max"] > 0
    assert facts["dirty_bytes_max"] <= 16 << 20
    assert facts["daemon_memory_kb_max"] - facts["daemon_memory_kb_before"] < 32 << 10


def test_batches_write_less_than_one_write_for_each_change(bench):
    facts = bench("batch", "--rate", "4000")["facts"]
    assert facts["batched: transactions"] < facts["one by one: transactions"] <= 2000
    assert facts["transactions_saved_percent"] > 0


def test_what_the_journal_confirms_has_been_committed(bench):
    result = bench("journal", "--seconds", "1", "--sessions", "500")
    assert result["right"]
    for writers in (1, 8, 64):
        assert rows(result, "change", f"{writers} writers")[0]["count"] > 0
        assert result["facts"][f"{writers} writers: changes in a commit"] > 0
    # A commit holds one change at most of a writer that waits for it.
    assert result["facts"]["1 writers: changes in a commit"] <= 1.5


def test_clients(bench):
    result = bench("clients", "--seconds", "1", "--sessions", "500")
    assert result["right"]
    assert rows(result, "read", "1000 clients")[0]["count"] > 0


def test_memory_says_how_many_fit(bench):
    facts = bench("memory")["facts"]
    assert facts["bytes of a record"] == 512
    held = [facts[f"{size} MiB: sessions before the first had to leave"] for size in (1, 4, 8, 16, 64)]
    assert held == sorted(held) and held[0] > 0
    assert facts["10,000 sessions fit into 8 MiB"] == int(held[2] >= 10000)


def test_an_instance_that_runs_is_left_alone_without_yes(bench):
    alone = Alone()
    try:
        alone.start()
        instance = ["-i", str(alone.folder)]
        message = bench("page_views", options=instance, code=2)
        assert str(alone.folder) in message and "--yes" in message
        assert alone.status()["changes"] == 0
        result = bench("page_views", "--yes", options=instance)
        assert result["right"]
        assert alone.status()["changes"] == 101
        bench("memory", "--yes", options=instance)  # has a cache of its own
        assert alone.status()["cache_blocks_live"] == 1
    finally:
        alone.clean_up()


def test_wrong_words_are_told(bench):
    assert "no scenario" in bench("nonsense", code=2)
    assert "out of range" in bench("rate", "--seconds", "0", code=2)


def test_a_daemon_that_does_not_start_is_told(folder):
    words = [build.program("session-fast", "command_line"), "bench", "page_views", "--daemon", "/nonexistent"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env={**os.environ, "TMPDIR": str(folder)})
    assert done.returncode == 3 and "/nonexistent" in done.stderr
    assert not list(folder.iterdir())


def test_an_interrupt_ends_it_and_leaves_nothing_behind(folder):
    words = [build.program("session-fast", "command_line"), "bench", "rate", "--seconds", "60", "--daemon",
             build.program("session-fastd", "session_daemon")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                               env={**os.environ, "TMPDIR": str(folder)})
    wait_until(lambda: children(process.pid) >= 3, "the processes of the benchmark")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 3
    assert not list(folder.iterdir())


def children(pid):
    try:
        return len(open(f"/proc/{pid}/task/{pid}/children").read().split())
    except FileNotFoundError:
        return 0


def run_cache(folder, *arguments):
    """bench_cache with every target; what it wrote as JSON, by target."""
    lines = folder / "lines"
    words = [build.built(build.BUILD, "bench/bench_cache"), "--sessions", "300", "--bytes",
             "512", "--rounds", "1", "--milliseconds", "30", "--memory", folder, "--disk", folder, "--json", lines, *arguments]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    lines.unlink()
    assert not list(folder.iterdir()), "something was left behind"
    return {target: [row for row in rows if row["target"] == target] for target in {row["target"] for row in rows}}


OWN = ["session-fast", "memcpy", "rwlock + hash", "SQLite"]  # the others are missing where nobody has installed them
OTHERS = ["mod_socache_shmcb", "shmcb, default mutex", "LMDB", "memcached", "Redis"]


@pytest.mark.parametrize("kind", ["processes", "threads"])
def test_every_target_answers_rightly_in_every_mix_or_is_named_as_missing(folder, kind):
    results = run_cache(folder, *(["--threads"] if kind == "threads" else []))
    assert sorted(results) == sorted(OWN + OTHERS)
    for target, rows in results.items():
        assert len(rows) == 7 * 2  # mixes, and one or two workers
        for row in rows:
            assert row["kind"] == kind
            assert row.get("missing") is True and target in OTHERS or row["operations"] > 0 and row["wrong"] == 0


def test_with_a_rate_none_is_left_out(folder):
    rows = run_cache(folder, "--rate", "1000", "--milliseconds", "200", "--workload", "95/5", "--workers", "2",
                     "--target", "session-fast", "--target", "rwlock + hash")
    for (row,) in rows.values():
        assert row["operations"] == 200


def test_so_many_operations_as_were_asked_for(folder):
    ((row,),) = run_cache(folder, "--operations", "6400", "--workload", "field change", "--workers", "3",
                          "--target", "session-fast").values()
    assert row["operations"] == 3 * 6400


def run_stores(part, url, folder, *options):
    """bench_stores with as little as there is; what it found, by who did it."""
    words = [build.built(build.BUILD, "bench/bench_stores"), part, url, folder, "--rounds", "1",
             "--milliseconds", "1", "--sessions", "8", "--bytes", "100", *options]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {who: {(row["what"], row["count"]) for row in rows if row["who"] == who} for who in ("session-fast", "plain")}


@pytest.mark.parametrize("url", ["sqlite:bench.db", "file:bench.json"])
def test_a_store_and_a_plain_client_do_the_same_steps(folder, url):
    found = run_stores("batches", url, folder)
    assert found["plain"] == {("load", 1), ("write", 1)}
    assert found["session-fast"] == {(what, count) for what in ("load", "write") for count in (1, 16, 128, 1000)}
    alone = Alone(f"SessionFastStateDirectory {folder}", url)
    try:
        alone.start()
        found = run_stores("steps", url, folder, "--config", alone.config)
        assert found["plain"] == {(step, 1) for step in ("create", "first read", "warm read", "save", "end")}
        assert found["plain"] < found["session-fast"]
        status = alone.status()
        assert (status["sessions_created"], status["sessions_ended"]) == (8, 8)
    finally:
        alone.clean_up()
