# SPDX-License-Identifier: Apache-2.0
"""Sessions of other systems move in, and whoever is logged in there stays so: with the old cookie, until the next login."""
import datetime
import json
import os
import subprocess
import uuid

import pytest

from harness import build
from harness.redis import Redis
from harness.site import change

PHP_PAGE = """<?php
ini_set('session.save_path', '%s');
session_id($_GET['id']);
session_start();
$_SESSION['user'] = 'alice';
$_SESSION['visits'] = 41;
$_SESSION['cart'] = array(array('tea' => 2), 'milk');
$_SESSION['since'] = new DateTime('2026-01-31');
session_write_close();
echo 'written';
"""
IMPORTED = """
<Location "/app/">
    SessionFastImportedCookie %s
</Location>
"""
DJANGO = ("3za78fpyfhks5s164d9u5yuhg8eqo81j", "eyJhIjoxLCJfc2Vzc2lvbl9leHBpcnkiOjIwMDAwMDAwMH0:1xUlQ8:"
          "mgaAOfx7u1eWdhpOjyGuKDz5tukeTrYd_YuO-ApsF6Y", "2033-03-24 09:19:44.809419")


def store_import(folder, *words, lines=""):
    program = build.program("session-fast", "command_line")
    done = subprocess.run([program, "-i", folder, "--json", "store", "import", *words], input=lines, capture_output=True,
                          text=True, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def counts(imported, expired=0, refused=0):
    return {"imported": imported, "expired": expired, "refused": refused}


def visit(server, cookie):
    """The session that the application sees with this cookie."""
    browser = server.browser()
    return browser.get("/app/probe", [("Cookie", cookie)]).session


def test_php_files(servers):
    """Written by PHP itself; the application behind httpd goes on from there."""
    server = servers.make("event", extra=IMPORTED % "PHPSESSID", php=True)
    sessions = server.folder / "php-sessions"
    sessions.mkdir()
    sessions.chmod(0o777)
    (server.folder / "cgi/shop.php").write_text(PHP_PAGE % sessions)
    server.start()
    browser = server.browser()
    for number in range(3):  # the last one is damaged afterwards
        assert browser.get(f"/php/shop.php?id=k1ns2olk5bp4qrqsl90msjse0{number}").text.strip() == "written"
    (sessions / "sess_k1ns2olk5bp4qrqsl90msjse02").write_text("user|s:99:\"cut off")
    planted = sessions / "sess_0123456789abcdef0123456789"
    planted.write_text('user|s:5:"alice";')
    is_root = os.geteuid() == 0
    if is_root:  # who is not root cannot give a file away
        os.chown(planted, 12345, 12345)
        planted.chmod(0o644)
    code, said, errors = store_import(server.instance, "--from=php", f"--folder={sessions}", "--user-field=user")
    assert (code, said) == (1, counts(2 if is_root else 3, refused=2 if is_root else 1)), errors
    assert "not what serialize() writes" in errors
    assert not is_root or "belongs to another user (12345)" in errors
    session = visit(server, "PHPSESSID=k1ns2olk5bp4qrqsl90msjse01")
    assert (session["SESSION_STATE"], session["SESSION_USER"]) == ("active", "alice")
    assert (session["SESSION_FIELD_VISITS"], session["SESSION_FIELD_CART"]) == ("41", '[{"tea":2},"milk"]')
    # Changes are of that session, too; a login gives it an id of ours, and the old cookie is worth nothing any more.
    browser.cookies = {"PHPSESSID": "k1ns2olk5bp4qrqsl90msjse01"}
    change(browser, "X-Session-Increment: visits")
    assert browser.get("/app/probe").session["SESSION_FIELD_VISITS"] == "42"
    assert browser.id is None
    change(browser, "X-Session-Login: alice")
    assert browser.id is not None
    assert browser.get("/app/probe").session["SESSION_FIELD_VISITS"] == "42"
    change(browser, "X-Session-Logout: 1")
    assert visit(server, "PHPSESSID=k1ns2olk5bp4qrqsl90msjse01").get("SESSION_STATE") != "active"
    assert visit(server, "PHPSESSID=k1ns2olk5bp4qrqsl90msjse00")["SESSION_STATE"] == "active"
    assert visit(server, "PHPSESSID=k1ns2olk5bp4qrqsl90msjse0X")["SESSION_STATE"] == "none"


def test_django_rows(servers):
    server = servers.start("event", extra=IMPORTED % "sessionid")
    gone = ("x" * 32, DJANGO[1], "2020-01-01 00:00:00")
    lines = "".join("\t".join(row) + "\n" for row in (DJANGO, gone, ("y" * 32, "!", DJANGO[2])))
    code, said, errors = store_import(server.instance, "--from=django", lines=lines)
    assert (code, said) == (1, counts(1, expired=1, refused=1)), errors
    assert "line 3: session_data" in errors
    assert visit(server, f"sessionid={DJANGO[0]}")["SESSION_FIELD_A"] == "1"
    # Without a word in the configuration such a cookie is nothing.
    assert visit(server, f"other={DJANGO[0]}")["SESSION_STATE"] == "none"
    # Once more: what has changed here meanwhile stays.
    browser = server.browser()
    browser.cookies = {"sessionid": DJANGO[0]}
    change(browser, "X-Session-Set: a=changed")
    server.flush()
    assert store_import(server.instance, "--from=django", lines=lines)[1]["imported"] == 1
    assert visit(server, f"sessionid={DJANGO[0]}")["SESSION_FIELD_A"] == "changed"


def test_json_file_of_an_application_is_used_as_it_stands(servers):
    """Written as Python does it; named as the store; whoever was logged in stays so."""
    begun = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    times = {"expire_time": begun + datetime.timedelta(minutes=30), "created_at": begun, "last_activity": begun}
    session = {name: time.isoformat() for name, time in times.items()} | {"ip": "192.0.2.1", "city": "M\u00fcnchen \u6c49", "visits": 4}
    ids = [str(uuid.uuid4()) for _ in range(3)]
    text = json.dumps({"alice": {"sessions": dict.fromkeys(ids[:2], session)}, "j\u00fcrgen": {"sessions": {ids[2]: session}}},
                      indent=2, ensure_ascii=False)
    server = servers.make("event", extra=IMPORTED % "session_id", instance='SessionFastStore "file:{folder}/old/sessions.json"')
    (server.folder / "old").mkdir(mode=0o777)
    (server.folder / "old").chmod(0o777)
    path = server.folder / "old/sessions.json"
    path.write_text(text, "utf-8")
    path.chmod(0o666)
    server.start()
    seen = visit(server, f"session_id={ids[1]}")
    assert (seen["SESSION_USER"], seen["SESSION_FIELD_VISITS"], seen["SESSION_FIELD_IP"]) == ("alice", "4", "192.0.2.1")
    browser = server.browser()
    browser.cookies = {"session_id": ids[2]}
    change(browser, "X-Session-Increment: visits")
    assert browser.get("/app/probe").session["SESSION_FIELD_VISITS"] == "5"
    server.flush()
    server.stop()
    assert (server.folder / "old/sessions.json.old").read_text("utf-8") == text
    (row,) = [row for row in json.loads(path.read_text("utf-8"))["sessions"].values() if row["user"] == "j\u00fcrgen"]
    assert row["fields"] == {"ip": "192.0.2.1", "city": "M\u00fcnchen \u6c49", "visits": 5}
    assert row["idle_timeout"] == 30 * 60


@pytest.mark.backends
def test_redis_values_as_the_manual_says(servers):
    """docs/stores.md: keys and values by redis-cli, pasted side by side."""
    server = servers.start("event", extra=IMPORTED % "connect.sid")
    redis = Redis().start()
    try:
        session = {"cookie": {"originalMaxAge": None, "expires": None, "path": "/"}, "views": 7, "name": "al \u00efce"}
        for number in range(3):
            redis.ask("SET", f"sess:hJjSvKpZQ0aWn3mVx2yLr8tQ-1_bCdE{number}", json.dumps(session, ensure_ascii=False))
        uuid = "33fdc9e0-a5f4-4c1b-9232-1d54847bde0f"
        redis.ask("HSET", f"spring:session:sessions:{uuid}", "creationTime", "4000000000000", "lastAccessedTime",
                  "4000000000000", "maxInactiveInterval", "1800", "sessionAttr:name", '"bob"')
        cli = " ".join(redis.cli())
        connect, spring = (subprocess.run(
            ["bash", "-c", f"{cli} --scan --pattern '{pattern}' > keys; sed 's/.*/{command} \"&\"/' keys | {cli} {option} > values; "
             "paste keys values"], cwd=redis.folder, capture_output=True, text=True, timeout=60, check=True).stdout
            for pattern, command, option in (("sess:*", "GET", ""), ("spring:session:sessions:*", "HGETALL", "--json")))
    finally:
        redis.clean_up()
    assert store_import(server.instance, "--from=connect-redis", lines=connect)[:2] == (0, counts(3))
    assert store_import(server.instance, "--from=spring", lines=spring)[:2] == (0, counts(1))
    session = visit(server, "connect.sid=s%3AhJjSvKpZQ0aWn3mVx2yLr8tQ-1_bCdE2.c2lnbmF0dXJl")
    assert (session["SESSION_FIELD_VIEWS"], session["SESSION_FIELD_NAME"]) == ("7", "al \u00efce")
    session = visit(server, "connect.sid=MzNmZGM5ZTAtYTVmNC00YzFiLTkyMzItMWQ1NDg0N2JkZTBm")
    assert session["SESSION_FIELD_NAME"] == "bob"


@pytest.mark.parametrize("words, says", [
    (["--from=rails"], "none of django, connect-redis, spring, php"),
    (["--from=php"], "--folder=DIR"),
    (["--from=django", "--folder=/tmp"], "--folder=DIR"),
    (["--folder=/tmp"], "go with --from"),
    (["--from=php", "--folder=/nowhere"], "/nowhere"),
])
def test_wrong_calls(daemon, words, says):
    code, _, errors = store_import(daemon.folder, *words)
    assert code in (1, 2) and says in errors
