# SPDX-License-Identifier: Apache-2.0
"""Sessions in httpd's own access control and expressions."""
import pytest

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
"""


@pytest.fixture(scope="module")
def server(probe):
    with Servers(probe) as servers:
        yield servers.start("event", extra=SITE)


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
