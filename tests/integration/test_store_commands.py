# SPDX-License-Identifier: Apache-2.0
"""session-fast store: check, export and import, past the daemon."""
import json
import subprocess

import pytest

from harness import build
from harness.daemon import create, key


@pytest.fixture
def store():
    """Runs "session-fast store" with the state folder of a daemon; exit status, output, errors."""
    def run(daemon, *words, lines="", as_json=False):
        program = build.program("session-fast", "command_line")
        done = subprocess.run([program, "-i", daemon.folder, *(["--json"] if as_json else []), "store", *words],
                              input=lines, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr
    return run


def fill(daemon, count):
    with daemon.client() as client:
        for number in range(1, count + 1):
            create(client, number, "SET", "name", f"n\u00ba {number}", "SETINT", "n", str(number))
        client.call("SESSION.END", key(count))


def parsed(text):
    return {line["key"]: line["row"] for line in map(json.loads, text.splitlines())}


@pytest.mark.parametrize("url", ["sqlite:probe.db", "file:probe.json"])
def test_check_of_a_store_that_works(alone, store, url):
    code, text, _ = store(alone(), "check", url, as_json=True)
    assert code == 0
    steps = json.loads(text)
    assert len(steps) == 9 and {step["answer"] for step in steps} == {"OK"}
    assert all(step["microseconds"] >= 0 for step in steps)


@pytest.mark.parametrize("url, code, says", [
    ("fail:write=UNAVAILABLE", 3, "write one: fail store: write answers UNAVAILABLE"),
    ("fail:load=UNAVAILABLE", 3, "ask for a session that is not there"),
    ("fail:write=OK*2+FULL", 1, "note an access"),
    ("fail:sweep=CORRUPT", 1, "remove what has expired"),
    ("sqlite:", 1, "the path is missing"),
    ("carrier-pigeon:coo", 1, "known are sqlite:"),
    ("sqlite:/proc/nothing/sessions.db", 3, "reach it, and its schema"),
])
def test_check_says_what_does_not_work(alone, store, url, code, says):
    found, _, errors = store(alone(), "check", url)
    assert (found, says in errors) == (code, True), errors


def test_check_of_a_database_of_another_program(alone, store):
    daemon = alone()
    (daemon.folder / "notes.db").write_text("shopping list\n" * 100)
    code, _, errors = store(daemon, "check", "sqlite:notes.db")
    assert code == 1 and "not a database" in errors, errors


def test_sessions_go_to_another_store_and_back(alone, store):
    daemon = alone().start()
    fill(daemon, 1200)
    code, exported, errors = store(daemon, "export")
    assert code == 0 and "1200 sessions" in errors
    rows = parsed(exported)
    assert len(rows) == 1200
    assert rows[key(7)]["fields"] == {"name": "n\u00ba 7", "n": 7}
    assert rows[key(1200)]["ended"] == "logout"

    for target in "file:other.json", "sqlite:other.db":
        assert store(daemon, "import", target, lines=exported)[:2] == (0, "imported  1200\nrefused   0\n")
        code, again, _ = store(daemon, "export", target)
        assert code == 0
        assert parsed(again) == rows


def test_import_never_replaces_what_is_later(alone, store):
    daemon = alone().start()
    fill(daemon, 3)
    _, earlier, _ = store(daemon, "export")
    with daemon.client() as client:
        client.call("SESSION.APPLY", key(1), "OPS", "SET", "name", "later")
    assert store(daemon, "import", "sqlite:sessions.db", lines=earlier)[0] == 0
    _, now, _ = store(daemon, "export")
    assert parsed(now)[key(1)]["fields"]["name"] == "later"


def test_import_names_the_lines_that_it_refuses(alone, store):
    daemon = alone().start()
    fill(daemon, 2)
    _, exported, _ = store(daemon, "export")
    lines = exported.splitlines()
    lines.insert(1, '{"key": "00"}')
    lines[2] = lines[2].replace('"version":', '"Version":')
    code, text, errors = store(daemon, "import", "file:other.json", lines="\n".join(lines))
    assert (code, text) == (1, "imported  1\nrefused   2\n")
    assert 'line 2: "key" is not 32 hexadecimal digits' in errors
    assert 'line 3: "Version": no such member' in errors


def test_damaged_line_is_refused(alone, store):
    daemon = alone().start()
    fill(daemon, 1)
    _, exported, _ = store(daemon, "export")
    code, _, errors = store(daemon, "import", "file:other.json", lines=exported.replace("logout", "admin"))
    assert code == 1 and "checksum" in errors


def test_files_belong_to_the_owner_of_the_state_folder(alone, store, as_root):
    daemon = alone()
    subprocess.run(["chown", "www-data:www-data", daemon.folder], check=True)
    assert store(daemon, "check", "sqlite:made.db")[0] == 0
    assert (daemon.folder / "made.db").owner() == "www-data"


def test_wrong_usage(alone, store):
    daemon = alone()
    for words in (), ("burn",), ("check", "sqlite:a", "b"):
        code, _, errors = store(daemon, *words)
        assert code == 2 and "check|export|import" in errors
