# SPDX-License-Identifier: Apache-2.0
"""Sessions in httpd's own access control and expressions."""
import pytest

from harness.backend import Backend
from harness.servers import Servers
from harness.site import change, log_in

SITE = """
<LocationMatch "^/(valid|alice|any|value|expression)/">
    SessionFast On
</LocationMatch>
Alias /valid/ "{folder}/site/member/"
Alias /alice/ "{folder}/site/member/"
Alias /value/ "{folder}/site/member/"
Alias /any/ "{folder}/site/member/"
Alias /expression/ "{folder}/site/member/"
<Location "/valid/">
    Require session-valid
</Location>
<Location "/alice/">
    Require session-user alice
</Location>
<Location "/any/">
    Require session-field role
</Location>
<Location "/value/">
    Require session-field role editor
</Location>
<Location "/expression/">
    Require expr "session('role') == 'admin'"
    Header always set X-Role "expr=%{session:role}"
</Location>
ScriptAlias /handed-on/ "{folder}/cgi/"
<Location "/handed-on/">
    SessionFast On
    RequestHeader set X-Theme "expr=%{session:theme}"
    RequestHeader set X-User "expr=%{SESSION_USER}"
    Header always set X-Theme "expr=[%{session:theme}]"
    Header set X-User "expr=[%{SESSION_USER}]"
    Header set X-Function "expr=[%{tolower:%{session:theme}}]"
</Location>
ProxyPass "/proxied/" "http://127.0.0.1:%(backend)d/"
<Location "/proxied/">
    SessionFast On
    RequestHeader set X-Theme "expr=%{session:theme}"
</Location>
"""


@pytest.fixture(scope="module")
def server(probe):
    with Servers(probe) as servers, Backend() as backend:
        yield servers.start("event", extra=SITE.replace("%(backend)d", str(backend.port)))


def allowed(browser, place):
    response = browser.get(f"/{place}/index.html")
    assert response.status in (200, 401, 403), response
    return response.status == 200


def test_session_valid(browser):
    assert not allowed(browser, "valid")
    change(browser, "X-Session-Set: a=1")
    assert allowed(browser, "valid")
    change(browser, "X-Session-Logout: 1")
    assert not allowed(browser, "valid")


def test_session_user(browser):
    change(browser, "X-Session-Set: a=1")
    assert not allowed(browser, "alice")
    log_in(browser, "bob")
    assert not allowed(browser, "alice")
    log_in(browser, "alice")
    assert allowed(browser, "alice")


def test_session_field(browser):
    assert not allowed(browser, "any") and not allowed(browser, "value")
    change(browser, "X-Session-Set: role=guest")
    assert allowed(browser, "any") and not allowed(browser, "value")
    change(browser, "X-Session-Set: role=editor")
    assert allowed(browser, "any") and allowed(browser, "value")


def test_expression(browser):
    assert not allowed(browser, "expression")
    change(browser, "X-Session-Set: role=admin")
    response = browser.get("/expression/index.html")
    assert response.status == 200
    assert response.one("X-Role") == "admin"


@pytest.mark.parametrize("evil", ["dark%0D%0AX-Admin:%20yes", "dark%0AX-Admin:%20yes", "dark%0D", "dark%7F", "a%09b%01"])
def test_an_expression_cannot_make_a_header(browser, evil):
    """Fields hold what visitors type; a line end in it would begin a header of its own."""
    change(browser, f"X-Session-Set: theme={evil}")
    response = browser.get("/handed-on/probe")
    assert response.status == 200
    assert response.variables.get("HTTP_X_THEME", "") == ""
    assert response.one("X-Theme") == "[]" and response.one("X-Function") == "[]"
    assert not response.all("X-Admin") and "X_ADMIN" not in response.text
    response = browser.get("/proxied/")
    assert response.variables.get("x-theme", "") == ""
    assert "x-admin" not in response.variables


def test_an_expression_hands_on_other_text(browser):
    change(browser, "X-Session-Set: theme=dark%C3%A9+%22")
    change(browser, "X-Session-Login: alice")
    response = browser.get("/handed-on/probe")
    assert response.variables["HTTP_X_USER"] == "alice"
    assert response.one("X-Theme") == "[dark\u00c3\u00a9 \"]" and response.one("X-User") == "[alice]"
