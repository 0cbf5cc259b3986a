# SPDX-License-Identifier: Apache-2.0
"""session-fast, the operator's program, against a running server."""
import json
import subprocess

import pytest

from harness import build
from harness.servers import Servers
from harness.site import change, log_in


@pytest.fixture(scope="module")
def server(probe):
    with Servers(probe) as servers:
        yield servers.start("event")


@pytest.fixture
def session_fast(server):
    """Runs a subcommand; returns its exit status and its output."""
    program = build.program("session-fast", "command_line")

    def run(*arguments):
        done = subprocess.run([program, "-i", server.instance, *arguments], capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr

    return run


def test_status(session_fast):
    code, text = session_fast("status")
    assert code == 0 and text
    code, text = session_fast("--json", "status")
    assert code == 0
    assert json.loads(text)


def test_list_show_end(browser, session_fast):
    log_in(browser)
    change(browser, "X-Session-Set: theme=dark")
    code, text = session_fast("--json", "list")
    assert code == 0
    label = browser.get("/app/probe").session["SESSION_KEY"]
    (row,) = [row for row in json.loads(text)["sessions"] if row["key"].startswith(label)]
    assert row["user"] == "alice"

    code, text = session_fast("show", row["key"])
    assert code == 0
    assert "alice" in text and "theme" in text and "dark" in text
    code, _ = session_fast("end", row["key"])
    assert code == 0
    assert browser.get("/member/index.html").status == 401
    code, _ = session_fast("end", row["key"])
    assert code == 1


def test_every_answer_can_be_had_as_json(browser, session_fast):
    change(browser, "X-Session-Set: theme=dark")
    label = label_of(browser)
    assert session_fast("flush")[0] == 0
    for words, name in ((["status"], "pid"), (["list"], "sessions"), (["list", "--cached"], "sessions"),
                        (["show", label], "fields"), (["config", "check"], "valid"), (["cache", "check"], "intact"),
                        (["end", label], "ended")):
        code, text = session_fast("--json", *words)
        assert code == 0, text
        assert name in str(json.loads(text)), (words, text)


def test_pin_and_unpin(browser, session_fast):
    change(browser, "X-Session-Set: theme=dark")
    label = browser.get("/app/probe").session["SESSION_KEY"]
    assert session_fast("flush")[0] == 0
    for command, flags in (("pin", "pinned"), ("pin", "pinned"), ("unpin", "")):
        assert session_fast(command, label) == (0, "")
        code, text = session_fast("--json", "show", label)
        assert code == 0
        assert json.loads(text)["flags"] == flags
    assert browser.get("/app/probe").session["SESSION_FIELD_THEME"] == "dark"
    assert session_fast("pin")[0] == 2
    assert session_fast("pin", "f" * 32)[0] == 1


def test_flush(browser, session_fast, server):
    change(browser, "X-Session-Set: theme=dark")
    assert session_fast("flush")[0] == 0


def test_probe(session_fast, server):
    """It says whence each read came, or fails; and it leaves nothing but the end of its session."""
    before = server.status()
    code, text = session_fast("--json", "probe")
    after = server.status()
    assert code == 0, text
    rows = json.loads(text)
    assert [row["step"] for row in rows] == ["create, and store", "leave the cache", "first read, from the store",
                                             "second read, from the cache", "end"]
    assert all(row["answer"] == "OK" for row in rows)
    assert [int(after[name]) - int(before[name]) for name in ("sessions_created", "sessions_ended", "loads")] == [1, 1, 1]
    code, text = session_fast("probe")
    assert code == 0 and "second read, from the cache" in text
    assert session_fast("probe", "more")[0] == 2


def test_cache_check(browser, session_fast):
    change(browser, "X-Session-Set: theme=dark")
    code, text = session_fast("cache", "check")
    assert code == 0, text


def test_no_daemon(session_fast, servers):
    other = servers.make("event")
    program = build.program("session-fast", "command_line")
    done = subprocess.run([program, "-i", other.instance, "status"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1


def test_who_may_not_ask_is_told_so(server, session_fast, as_root):
    """Not that no daemon runs."""
    program = build.program("session-fast", "command_line")
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "-i", server.instance, "status"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 3 and "Permission denied: to be run as root or as the user" in done.stderr


@pytest.mark.parametrize("line, says", [
    ("SessionFastStore carrier-pigeon://joe:geheim@host", "SessionFastStore: URL: unknown scheme"),
    ("SessionFastL2 memcached:127.0.0.1", "SessionFastL2: URL: "),
    ("SessionFastMigrate carrier-pigeon://joe:geheim@host percent=5", "SessionFastMigrate: URL: unknown scheme"),
])
def test_config_check_looks_at_the_urls(session_fast, tmp_path, line, says):
    (tmp_path / "x.conf").write_text(line + "\n")
    code, text = session_fast("config", "check", tmp_path / "x.conf")
    assert code == 1 and says in text and "geheim" not in text


@pytest.mark.backends
def test_config_check_shows_no_password(session_fast, tmp_path):
    (tmp_path / "x.conf").write_text("SessionFastStore redis://joe:geheim@host/1\n"
                                     "SessionFastMigrate redis://joe:geheim@other/1 percent=5\n")
    code, text = session_fast("config", "check", tmp_path / "x.conf")
    assert code == 0 and "redis://joe:***@host/1" in text and "geheim" not in text


def test_wrong_usage(session_fast):
    for words in ([], ["jump"], ["show"], ["show", "xyz"]):
        code, text = session_fast(*words)
        assert code == 2, (words, text)


def label_of(browser):
    """The first digits of the session's key, as an application and the access log see them."""
    return browser.get("/app/probe").session["SESSION_KEY"]


def test_passwords_are_never_shown(browser, session_fast):
    log_in(browser)
    for arguments in (["show", label_of(browser)], ["--json", "show", label_of(browser)]):
        code, text = session_fast(*arguments)
        assert code == 0
        assert "members-pw" in text and "(hidden)" in text
        assert "password" not in text


def test_values_cannot_steer_a_terminal(browser, session_fast):
    change(browser, "X-Session-Set: title=%1b%5d0%3bowned%07&c1=%c2%9b2J")
    code, text = session_fast("show", label_of(browser))
    assert code == 0
    assert "\\x1b]0;owned\\x07" in text and "\\xc2\\x9b2J" in text
    assert "\x1b" not in text and "\x9b" not in text


def test_a_field_may_look_like_the_head(browser, session_fast):
    change(browser, "X-Session-Set: %40user=mallory&%40state=ended")
    code, text = session_fast("--json", "show", label_of(browser))
    assert code == 0
    session = json.loads(text)
    assert session["user"] == "" and session["state"] == "active"
    assert session["fields"] == {"@user": "mallory", "@state": "ended"}


def test_the_beginning_of_a_key_must_be_unique_and_long_enough(browser, session_fast):
    change(browser, "X-Session-Set: theme=dark")
    assert session_fast("show", label_of(browser))[0] == 0
    assert session_fast("show", label_of(browser)[:7])[0] == 2
    assert session_fast("show", "0123456789abcdef")[0] == 1


def test_list_of_the_cache_needs_no_daemon(browser, session_fast, server):
    change(browser, "X-Session-Set: theme=dark")
    code, text = session_fast("--json", "list", "--cached", "--limit", "10000")
    assert code == 0
    assert any(row["key"].startswith(label_of(browser)) for row in json.loads(text)["sessions"])


def test_list_goes_on_where_it_stopped(session_fast, server):
    for _ in range(3):
        visitor = server.browser()
        change(visitor, "X-Session-Set: theme=dark")
        visitor.close()
    first = json.loads(session_fast("--json", "list", "--limit", "1")[1])
    second = json.loads(session_fast("--json", "list", "--limit", "1", "--after", first["next"])[1])
    both = json.loads(session_fast("--json", "list", "--limit", "2")[1])
    assert first["sessions"] + second["sessions"] == both["sessions"]


def test_config_check_says_file_line_and_reason(session_fast, tmp_path):
    good = tmp_path / "good.conf"
    good.write_text("SessionFastCacheSize 32M\nSessionFastFlushDelay 1s\n")
    code, text = session_fast("--json", "config", "check", str(good))
    assert code == 0
    assert json.loads(text)["options"] == {"SessionFastCacheSize": "32M", "SessionFastFlushDelay": "1s"}
    bad = tmp_path / "bad.conf"
    bad.write_text("SessionFastCacheSize 32M\nSessionFastCacheSize 12\n")
    code, text = session_fast("config", "check", str(bad))
    assert code == 1
    assert f"{bad}:2:" in text and "SessionFastCacheSize" in text
