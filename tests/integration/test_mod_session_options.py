# SPDX-License-Identifier: Apache-2.0
"""mod_session's own directives do what httpd documents, with our provider behind them."""
import time
from urllib.parse import parse_qs

import pytest

from harness.servers import Servers
from harness.site import change, log_in, probe_target
from harness.waiting import wait_for_clock

SITE = """
ScriptAlias /theirs/ "{folder}/cgi/"
<Location "/theirs/">
    Session On
    SessionEnv On
    SessionHeader X-Replace-Session
    SessionCookieName other path=/
</Location>
ScriptAlias /both/ "{folder}/cgi/"
<Location "/both/">
    SessionFast On
    Session On
    SessionEnv On
    SessionHeader X-Replace-Session
    SessionCookieName other path=/
</Location>
ScriptAlias /noenv/ "{folder}/cgi/"
<Location "/noenv/">
    SessionFast On
    Session On
    SessionHeader X-Replace-Session
</Location>
ScriptAlias /part/in/out/ "{folder}/cgi/"
ScriptAlias /part/in/ "{folder}/cgi/"
ScriptAlias /part/ "{folder}/cgi/"
<Location "/part/">
    SessionFast On
    Session On
    SessionEnv On
    SessionHeader X-Replace-Session
    SessionInclude /part/in/
    SessionExclude /part/in/out/
</Location>
ScriptAlias /lazy/ "{folder}/cgi/"
<Location "/lazy/">
    SessionFast On
    Session On
    SessionEnv On
    SessionHeader X-Replace-Session
    SessionMaxAge 3
    SessionExpiryUpdateInterval 1
</Location>
ScriptAlias /off/ "{folder}/cgi/"
<Location "/off/">
    SessionFast On
    SessionEnv On
    SessionHeader X-Replace-Session
</Location>
"""


@pytest.fixture(scope="module")
def server(probe):
    with Servers(probe) as servers:
        yield servers.start("event", extra=SITE)


def session_of(response):
    """HTTP_SESSION without mod_session's own pair."""
    pairs = parse_qs(response.variables.get("HTTP_SESSION", ""))
    pairs.pop("expiry", None)
    return {name: values[0] for name, values in pairs.items()}


def test_session_header_sets_replaces_and_removes(browser):
    response = change(browser, "X-Replace-Session: color=red&size=5", "/legacy/probe")
    assert len(response.all("Set-Cookie")) == 1
    assert not response.all("X-Replace-Session")
    assert session_of(browser.get("/legacy/probe")) == {"color": "red", "size": "5"}

    response = change(browser, "X-Replace-Session: color=blue&size=", "/legacy/probe")
    assert not response.all("Set-Cookie")
    assert session_of(browser.get("/legacy/probe")) == {"color": "blue"}


def test_session_env_only_where_it_is_on(browser):
    change(browser, "X-Replace-Session: color=red", "/legacy/probe")
    assert "HTTP_SESSION" not in browser.get("/noenv/probe").variables
    assert browser.get("/noenv/probe").session["SESSION_FIELD_COLOR"] == "red"
    assert session_of(browser.get("/legacy/probe")) == {"color": "red"}


def test_both_contracts_show_one_session(browser):
    change(browser, "X-Session-Set: theme=dark", "/legacy/probe")
    change(browser, "X-Replace-Session: color=red", "/legacy/probe")
    response = browser.get("/legacy/probe")
    assert session_of(response) == {"theme": "dark", "color": "red"}
    assert response.session["SESSION_FIELD_THEME"] == "dark"
    assert response.session["SESSION_FIELD_COLOR"] == "red"


def test_both_contracts_in_one_response(browser):
    response = browser.get(probe_target("/legacy/probe", header=["X-Session-Increment: n=2",
                                                                 "X-Replace-Session: color=red"]))
    assert len(response.all("Set-Cookie")) == 1
    session = browser.get("/legacy/probe").session
    assert (session["SESSION_FIELD_N"], session["SESSION_FIELD_COLOR"]) == ("2", "red")


def test_odd_bytes_survive(browser):
    value = "a b&c=d%\u00e4\u20ac+/;,\""
    from urllib.parse import quote_plus
    change(browser, f"X-Replace-Session: odd={quote_plus(value)}", "/legacy/probe")
    response = browser.get("/legacy/probe")
    assert session_of(response) == {"odd": value}
    assert response.session["SESSION_FIELD_ODD"] == value


def test_include_and_exclude(browser):
    for target, is_session in (("/part/probe", False), ("/part/in/probe", True), ("/part/in/out/probe", False)):
        change(browser, "X-Replace-Session: color=red", "/legacy/probe")
        response = browser.get(target)
        assert ("HTTP_SESSION" in response.variables) == is_session, target
        change(browser, "X-Replace-Session: color=blue", target)
        assert session_of(browser.get("/legacy/probe")) == {"color": "blue" if is_session else "red"}, target


def test_nothing_where_session_is_off(browser):
    change(browser, "X-Replace-Session: color=red", "/legacy/probe")
    change(browser, "X-Replace-Session: color=blue", "/off/probe")
    assert "HTTP_SESSION" not in browser.get("/off/probe").variables
    assert session_of(browser.get("/legacy/probe")) == {"color": "red"}


def test_max_age_slides_and_ends(server, browser):
    """Used again and again it outlives SessionMaxAge; left alone it ends; reading it writes nothing."""
    response = change(browser, "X-Replace-Session: color=red", "/lazy/probe")
    assert len(response.all("Set-Cookie")) == 1
    label = browser.get("/lazy/probe").session["SESSION_KEY"]
    version = version_of(server, label)
    began = time.time()
    while time.time() < began + 4.5:
        wait_for_clock(time.time() + 0.4)
        response = browser.get("/lazy/probe")
        assert session_of(response) == {"color": "red"}, time.time() - began
        assert not response.all("Set-Cookie")
    assert version_of(server, label) == version
    wait_for_clock(time.time() + 4.2)
    response = browser.get("/lazy/probe")
    assert session_of(response) == {}
    assert "SESSION_FIELD_COLOR" not in response.session


def test_a_wiped_session_is_ended(server, browser):
    """mod_session has no way to end a session but to empty it."""
    change(browser, "X-Replace-Session: color=red", "/legacy/probe")
    old_id = browser.id
    response = change(browser, "X-Replace-Session: color=", "/legacy/probe")
    assert len(response.all("Set-Cookie")) == 1
    assert browser.id is None
    response = browser.get("/legacy/probe", [("Cookie", f"__Host-id={old_id}")])
    assert response.session["SESSION_STATE"] == "none"


def test_login_through_session_off_pages(browser):
    log_in(browser)
    assert browser.get("/off/probe").session["SESSION_USER"] == "alice"
    assert browser.get("/member/index.html").status == 200


def test_where_we_are_off_another_provider_keeps_the_session(browser):
    change(browser, "X-Replace-Session: color=red", "/theirs/probe")
    assert browser.id is None and "other" in browser.cookies
    assert session_of(browser.get("/theirs/probe")) == {"color": "red"}
    change(browser, "X-Replace-Session: color=blue", "/legacy/probe")
    assert session_of(browser.get("/theirs/probe")) == {"color": "red"}
    assert session_of(browser.get("/legacy/probe")) == {"color": "blue"}


def test_another_provider_in_our_place_keeps_the_session_of_mod_session(browser):
    """SF0505 warns of it; what applications keep with us is with us."""
    change(browser, "X-Replace-Session: color=red", "/both/probe")
    assert browser.id is None and "other" in browser.cookies
    change(browser, "X-Session-Set: theme=dark", "/both/probe")
    response = browser.get("/both/probe")
    assert session_of(response) == {"color": "red"}
    assert response.session["SESSION_FIELD_THEME"] == "dark" and "SESSION_FIELD_COLOR" not in response.session


def version_of(server, label):
    server.flush()
    with server.daemon() as daemon:
        rows = daemon.call("SESSION.LIST", "-", "1000")[1]
    return [row[5] for row in rows if row[0].startswith(label)]
