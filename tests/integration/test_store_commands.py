# SPDX-License-Identifier: Apache-2.0
"""session-fast store: check, export and import, past the daemon."""
import subprocess

import pytest

from harness.daemon import key
from harness.store_suites import exported_rows as parsed
from harness.store_suites import fill


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


def test_store_is_the_one_that_the_daemon_has(alone, store):
    """No web server has started it. Who cannot know which store that is does not make one up."""
    daemon = alone(store="sqlite:mine.db").start()
    fill(daemon, 3)
    code, exported, errors = store(daemon, "export")
    assert (code, len(parsed(exported))) == (0, 3) and "3 sessions" in errors
    assert daemon.stop() == 0
    assert store(daemon, "export")[:2] == (0, exported)
    (daemon.folder / "instance.conf").unlink()
    for action in "export", "import", "check":
        code, text, errors = store(daemon, action, lines=exported)
        assert (code, text) == (1, "") and "instance.conf: No such file" in errors and "name the store" in errors
    assert not (daemon.folder / "sessions.db").exists()


@pytest.mark.parametrize("url", ["sqlite:seesions.db", "file:seesions.json"])
def test_export_of_a_wrong_name_is_no_backup_of_nothing(alone, store, url):
    daemon = alone().start()
    fill(daemon, 1)
    code, exported, errors = store(daemon, "export", url)
    assert (code, exported) == (1, "") and "No such file" in errors
    assert not list(daemon.folder.glob("seesions*"))


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


def test_wrong_usage(alone, store):
    daemon = alone()
    for words in (), ("burn",), ("check", "sqlite:a", "b"):
        code, _, errors = store(daemon, *words)
        assert code == 2 and "check|export|import" in errors
