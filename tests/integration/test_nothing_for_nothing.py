# SPDX-License-Identifier: Apache-2.0
"""No cookie, no row, no cache entry until somebody sets a field."""
from harness.site import change, probe_target

REQUESTS = 10_000
AT_ONCE = 100  # pipelined

SITE = """
<Location "/index.html">
    SessionFast On
    Session On
    SessionMaxAge 3600
    SessionEnv On
</Location>
"""


def sessions_in_store(server):
    return server.query("SELECT count(*) FROM session")[0][0]


def test_ten_thousand_visitors_without_a_cookie(servers):
    server = servers.start("event", extra=SITE)
    connection = server.connection()
    request = b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for _ in range(REQUESTS // AT_ONCE):
        connection.send_raw(request * AT_ONCE)
        for _ in range(AT_ONCE):
            response = connection.receive()
            assert response.status == 200
            assert not response.all("Set-Cookie")
    connection.close()
    status = server.status()
    assert sessions_in_store(server) == 0
    assert int(status["cache_blocks_live"]) == 0
    for counter in ("sessions_created", "changes", "l1_hits", "l1_misses", "daemon_asked", "loads"):
        assert int(status[counter]) == 0, (counter, status)


def test_what_sets_nothing_creates_nothing(servers):
    server = servers.start("event")
    browser = server.browser()
    for header in ("X-Session-Unset: theme", "X-Session-Rotate: 1", "X-Session-Logout: 1", "X-Session-Replace: "):
        response = change(browser, header)
        assert response.status == 200, header
        assert not response.all("Set-Cookie"), header
        assert not response.all(header.split(":")[0])
    browser.get("/logout")
    browser.get("/legacy/probe")
    assert browser.id is None
    assert sessions_in_store(server) == 0
    assert int(server.status()["cache_blocks_live"]) == 0


def test_forged_ids_are_not_looked_up(servers):
    server = servers.start("event")
    connection = server.connection()
    for index in range(200):
        response = connection.request("GET", "/app/probe", [("Cookie", f"__Host-id={index:043d}")])
        assert response.session["SESSION_STATE"] == "none"
        assert not response.all("Set-Cookie")
    connection.close()
    status = server.status()
    assert int(status["ids_refused"]) == 200
    assert int(status["l1_misses"]) == 0 and int(status["daemon_asked"]) == 0 and int(status["loads"]) == 0


def test_one_session_is_one_row(servers):
    server = servers.start("event")
    browser = server.browser()
    response = change(browser, "X-Session-Set: theme=dark")
    assert len(response.all("Set-Cookie")) == 1
    assert sessions_in_store(server) == 1
    assert int(server.status()["cache_blocks_live"]) == 1


BOTS = """
BrowserMatchNoCase "bot|crawl" session-fast-bot
"""


def flags_of(server, browser):
    label = browser.get("/app/probe").session["SESSION_KEY"]
    server.flush()
    with server.daemon() as daemon:
        (key,) = [row[0] for row in daemon.call("SESSION.LIST", "-", "100")[1] if row[0].startswith(label)]
        return daemon.pairs("SESSION.GET", key)["@flags"]


def test_what_a_bot_makes_is_marked(servers):
    """It goes first when the cache is full; what somebody else has made is nobody's to mark."""
    server = servers.start("event", extra=BOTS)
    bot, visitor = server.browser(), server.browser()
    set_theme, headers = probe_target(header="X-Session-Set: theme=dark"), [("User-Agent", "ExampleBot/1.0")]
    bot.get(set_theme, headers)
    visitor.get(set_theme)
    visitor.get(probe_target(header="X-Session-Set: theme=light"), headers)
    assert flags_of(server, bot) == "bot"
    assert flags_of(server, visitor) == ""
