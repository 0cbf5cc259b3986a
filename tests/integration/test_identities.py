# SPDX-License-Identifier: Apache-2.0
"""A session has one user; whoever takes it over gets nothing of the one before."""
import pytest

from harness.servers import Servers
from harness.site import change, log_in, probe_target

SITE = """
<Location "/second-login">
    SetHandler form-login-handler
    SessionFast On
    Session On
    AuthType form
    AuthName guests
    AuthFormProvider file
    AuthUserFile "{folder}/users"
    AuthFormLoginSuccessLocation "/member/index.html"
</Location>
<Location "/open-login">
    SetHandler form-login-handler
    SessionFast On
    Session On
    AuthType form
    AuthName members
    AuthFormProvider file
    AuthUserFile "{folder}/users"
    AuthFormLoginSuccessLocation "/member/index.html"
</Location>
<LocationMatch "^/app/">
    SessionFastExport secret cart role members-user members-pw guests-user guests-pw
</LocationMatch>
"""


@pytest.fixture(scope="module", params=["prefork", "worker", "event"])
def server(request, probe):
    with Servers(probe) as servers:
        yield servers.start(request.param, extra=SITE)


def session(browser):
    return {name: value for name, value in browser.get("/app/probe").session.items()
            if name == "SESSION_USER" or name.startswith("SESSION_FIELD_")}


def member(browser):
    response = browser.get("/member/cgi/probe")
    return response.variables["REMOTE_USER"] if response.status == 200 else response.status


@pytest.fixture
def alice(browser):
    """The browser, with alice logged in by form and something of hers in the session."""
    assert log_in(browser, "alice", "/open-login").status == 302
    change(browser, "X-Session-Set: secret=alices&role=admin")
    assert member(browser) == "alice"
    return browser


def test_form_login_as_somebody_else(alice):
    old = alice.id
    assert log_in(alice, "bob", "/open-login").status == 302
    assert alice.id != old
    assert member(alice) == "bob"
    left = session(alice)
    assert left["SESSION_USER"] == left["SESSION_FIELD_MEMBERS_USER"] == "bob"
    assert set(left) == {"SESSION_USER", "SESSION_FIELD_MEMBERS_USER", "SESSION_FIELD_MEMBERS_PW"}


def test_form_login_in_another_realm(alice):
    log_in(alice, "bob", "/second-login")
    left = session(alice)
    assert left["SESSION_USER"] == left["SESSION_FIELD_GUESTS_USER"] == "bob"
    assert not [name for name in left if "MEMBERS" in name or "SECRET" in name]
    assert member(alice) == 401


def test_the_same_user_in_another_realm_keeps_everything(alice):
    log_in(alice, "alice", "/second-login")
    left = session(alice)
    assert left["SESSION_USER"] == left["SESSION_FIELD_GUESTS_USER"] == left["SESSION_FIELD_MEMBERS_USER"] == "alice"
    assert left["SESSION_FIELD_SECRET"] == "alices"


def test_login_again_as_the_same_user_replaces_the_id(alice):
    """Whoever has got hold of the old id loses it with the next login."""
    for target in ("/open-login", "/open-login"):
        old = alice.id
        response = log_in(alice, "alice", target)
        assert response.status == 302 and len(response.all("Set-Cookie")) == 1
        assert alice.id != old
        assert member(alice) == "alice" and session(alice)["SESSION_FIELD_SECRET"] == "alices"
    response = alice.post("/member/cgi/probe", "a=1")
    assert response.status == 200 and not response.all("Set-Cookie")


def test_login_by_the_application_over_a_form(alice):
    change(alice, "X-Session-Login: carol")
    assert session(alice) == {"SESSION_USER": "carol"}
    assert member(alice) == 401


@pytest.mark.parametrize("header", ["X-Session-Set: role=guest", "X-Session-Replace: role=guest"])
def test_what_is_set_with_the_login_belongs_to_the_new_user(alice, header):
    alice.get(probe_target(header=[header, "X-Session-Login: carol"]))
    assert session(alice) == {"SESSION_USER": "carol", "SESSION_FIELD_ROLE": "guest"}
    alice.get(probe_target(header=[header, "X-Session-Login: dave"]))
    assert session(alice) == {"SESSION_USER": "dave", "SESSION_FIELD_ROLE": "guest"}


def test_form_login_over_a_login_by_the_application(browser):
    change(browser, "X-Session-Set: cart=1")
    browser.get(probe_target(header=["X-Session-Login: carol", "X-Session-Set: secret=carols"]))
    assert session(browser) == {"SESSION_USER": "carol", "SESSION_FIELD_CART": "1", "SESSION_FIELD_SECRET": "carols"}
    log_in(browser, "alice", "/open-login")
    left = session(browser)
    assert left["SESSION_USER"] == "alice" and member(browser) == "alice"
    assert not {"SESSION_FIELD_CART", "SESSION_FIELD_SECRET"} & set(left)


def test_a_cart_survives_the_login(browser):
    change(browser, "X-Session-Set: cart=1")
    log_in(browser, "alice", "/open-login")
    assert session(browser)["SESSION_FIELD_CART"] == "1"
    change(browser, "X-Session-Login: alice")
    assert session(browser)["SESSION_FIELD_CART"] == "1" and member(browser) == "alice"


def test_login_by_the_application_leaves_no_forged_login(browser):
    """A field that names a user is believed by mod_auth_form, so it must not name another."""
    change(browser, "X-Session-Set: members-user=alice&members-pw=x&cart=1")
    change(browser, "X-Session-Login: carol")
    assert session(browser) == {"SESSION_USER": "carol", "SESSION_FIELD_CART": "1"}
