# SPDX-License-Identifier: Apache-2.0
"""The store that is one readable JSON file: behind httpd, over kills of everything, and edited by hand."""
import json

import pytest

from harness.daemon import DaemonError, create, key
from harness.site import change, log_in


def rows(path):
    """Those that the file itself has, without its log."""
    document = json.loads(path.read_text())
    assert document["format"] == "session-fast 1"
    return document["sessions"]


def test_sessions_behind_httpd_live_over_a_kill_of_everything(servers):
    server = servers.start("event", instance="SessionFastStore file:sessions.json")
    browser = server.browser()
    assert log_in(browser).status == 302
    for expected in "1 2 3".split():
        change(browser, "X-Session-Increment: n")
        assert browser.get("/app/probe").session["SESSION_FIELD_N"] == expected
    server.flush()
    server.kill_everything()
    (server.instance / "l1.cache").unlink()
    server.start()
    session = browser.get("/app/probe").session
    assert (session["SESSION_USER"], session["SESSION_FIELD_N"]) == ("alice", "3")
    assert browser.get("/logout").status == 307
    server.flush()
    server.kill_everything()
    (server.instance / "l1.cache").unlink()
    server.start()
    assert browser.get("/member/index.html").status in (302, 401, 307)
    found = rows(server.instance / "sessions.json").values()
    assert "logout" in [row.get("ended") for row in found]


def test_file_is_whole_and_readable_when_the_daemon_has_stopped(alone):
    daemon = alone(store="file:sessions.json").start()
    path = daemon.folder / "sessions.json"
    with daemon.client() as client:
        create(client, 1, "SET", "name", "J\u00fcrgen \u6c49", "SETINT", "visits", "7", "LOGIN", "anna")
    daemon.stop()
    text = path.read_text("utf-8")
    assert "J\u00fcrgen \u6c49" in text, "text is written as it is"
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n", "as Python writes it, byte by byte"
    row = rows(path)[key(1)]
    assert row["user"] == "anna"
    assert row["fields"] == {"name": "J\u00fcrgen \u6c49", "visits": 7}
    assert not (daemon.folder / "sessions.json-log").exists() or not (daemon.folder / "sessions.json-log").read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_file_that_was_edited_is_used_as_it_stands(alone):
    daemon = alone(store="file:sessions.json").start()
    path = daemon.folder / "sessions.json"
    with daemon.client() as client:
        create(client, 1, "SET", "theme", "dark")
        create(client, 2, "SET", "theme", "dark")
    daemon.stop()
    document = json.loads(path.read_text())
    document["sessions"][key(1)]["fields"]["theme"] = "light"
    del document["sessions"][key(1)]["checksum"]
    document["sessions"][key(2)]["fields"]["theme"] = "light"
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False))
    (daemon.folder / "l1.cache").unlink()
    daemon.start()
    with daemon.client() as client:
        assert client.pairs("SESSION.GET", key(1))["theme"] == "light"
        with pytest.raises(DaemonError, match="^CORRUPT"):
            client.call("SESSION.GET", key(2))


def test_file_of_another_program_is_refused(alone):
    daemon = alone(store="file:sessions.json")
    (daemon.folder / "sessions.json").write_text('{"carts": {}}\n')
    done = daemon.run()
    assert done.returncode == 1 and "another program's file" in done.stderr, done.stderr
    assert (daemon.folder / "sessions.json").read_text() == '{"carts": {}}\n'
