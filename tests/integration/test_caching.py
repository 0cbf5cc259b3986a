# SPDX-License-Identifier: Apache-2.0
"""mod_cache in front of sessions: whatever it is told to keep, nobody gets the page of somebody else."""
import itertools

import pytest

from harness import build
from harness.backend import Backend
from harness.servers import MPMS, Servers
from harness.site import change, probe_target

SITE = "".join(f"LoadModule {name}_module {build.HTTPD_MODULES}/mod_{name}.so\n" for name in
               "include cache cache_disk".split()) + """
CustomLog "{folder}/access.log" "%%U %%{Cookie}i"
CacheQuickHandler %(quick)s
CacheRoot "{folder}/run"
CacheHeader on
CacheEnable disk /cached/
CacheEnable disk /stored/
CacheEnable disk /proxy/
CacheEnable disk /plain-stored/
ScriptAlias /cached/ "{folder}/cgi/"
ScriptAlias /stored/ "{folder}/cgi/"
ScriptAlias /plain-stored/ "{folder}/cgi/"
ProxyPass "/proxy/" "http://127.0.0.1:%(backend)d/"
<LocationMatch "^/(cached|stored|proxy)/">
    SessionFast On
</LocationMatch>
<LocationMatch "^/(stored|proxy)/">
    CacheStorePrivate On
    CacheStoreNoStore On
</LocationMatch>
<Directory "{folder}/site">
    Options +Includes
</Directory>
Alias /ssi/ "{folder}/site/ssi/"
Alias /ssi-off/ "{folder}/site/ssi/"
<Location "/ssi/">
    SessionFast On
    SetOutputFilter INCLUDES
</Location>
<Location "/ssi-off/">
    SetOutputFilter INCLUDES
</Location>
"""
PUBLIC = "Cache-Control: public, max-age=600"


@pytest.fixture(scope="module", params=itertools.product(MPMS, ["on", "off"]), ids="-".join)
def server(request, probe):
    mpm, quick = request.param
    with Servers(probe) as servers, Backend() as backend:
        server = servers.make(mpm, extra=SITE % {"quick": quick, "backend": backend.port})
        (server.folder / "run").chmod(0o777)
        (server.folder / "site/ssi").mkdir()
        for place in ("cached", "stored"):
            (server.folder / f"site/ssi/{place}.html").write_text(
                f'<!--#include virtual="/{place}/probe?in-a-page&header=Cache-Control:%20public,%20max-age=600" -->')
        (server.folder / "site/ssi/mixed.html").write_text(
            '<!--#include virtual="/plain/probe.sh?1" --> <!--#include virtual="/stored/probe?2" -->'
            '<!--#include virtual="/plain/probe.sh?3" -->')
        server.quick = quick == "on"
        yield server.start()


@pytest.fixture
def visitors(server):
    """Anna, Bert, and two whom nobody knows, one of them with a cookie of his own."""
    anna, bert, nobody, other = (server.browser() for _ in range(4))
    change(anna, "X-Session-Set: who=anna")
    change(bert, "X-Session-Set: who=bert")
    other.cookies["z"] = "1"
    yield {"anna": anna, "bert": bert, None: nobody, "": other}
    for browser in (anna, bert, nobody, other):
        server.browsers.remove(browser)
        browser.close()


def seen(response):
    """Whose session the application saw that made this page."""
    assert response.status == 200, response
    return response.variables.get("SESSION_FIELD_WHO")


def is_hit(response):
    return "HIT" in (response.one("X-Cache") or "")


number = itertools.count()


@pytest.mark.parametrize("order", [("anna", "bert", None, ""), (None, "anna", "", "bert"), ("", "bert", None, "anna")])
@pytest.mark.parametrize("place", ["/cached/probe", "/stored/probe"])
def test_everybody_gets_a_page_of_his_own(visitors, place, order):
    page = probe_target(place, header=PUBLIC, page=next(number))
    for who in order * 3:
        assert seen(visitors[who].get(page)) == (who or None)


def test_what_may_be_kept_is_kept(visitors):
    """Or the tests above would show nothing."""
    page = probe_target("/stored/probe", header=PUBLIC, page=next(number))
    for who in visitors:
        assert not is_hit(visitors[who].get(page))
    for who in visitors:
        assert is_hit(visitors[who].get(page)), who
    page = probe_target("/cached/probe", header=PUBLIC, page=next(number))
    for who in ("anna", None, "", "anna", None, ""):
        response = visitors[who].get(page)
    assert is_hit(response) and not is_hit(visitors["anna"].get(page))


def test_no_cookie_comes_out_of_a_cache(server, visitors):
    """Not even out of one that is told to keep everything."""
    page = probe_target("/stored/probe", header=[PUBLIC, "X-Session-Increment: n"], page=next(number))
    browsers = [server.browser() for _ in range(3)]
    for browser in browsers:
        assert len(browser.get(page).all("Set-Cookie")) == 1
    assert len({browser.id for browser in browsers}) == 3


def test_an_application_behind_a_cache_sees_no_cookie(visitors):
    anna = visitors["anna"]
    anna.cookies["z"] = "1"
    for target in ("/stored/probe", "/cached/probe"):
        response = anna.get(probe_target(target, header=PUBLIC, page=next(number)))
        assert response.variables["HTTP_COOKIE"] == "z=1"
        assert anna.id not in response.text
    response = anna.get(probe_target("/proxy/", header=PUBLIC, page=next(number)))
    assert response.variables["cookie"] == "z=1"


@pytest.mark.parametrize("place", ["cached", "stored"])
def test_parts_of_a_page_are_kept_apart_too(visitors, place):
    """Stored while a page includes it, asked for by itself, and the other way round."""
    part = f"/{place}/probe?in-a-page&header=Cache-Control:%20public,%20max-age=600"
    for page in ("/ssi-off", "/ssi"):
        for who in ("anna", None, "bert") * 2:
            assert seen(visitors[who].get(f"{page}/{place}.html")) == who
            assert seen(visitors[who].get(part)) == who


def test_no_part_of_a_page_sees_the_cookie(visitors):
    response = visitors["anna"].get("/ssi/mixed.html")
    assert response.status == 200 and response.text.count("QUERY_STRING=") == 3
    assert visitors["anna"].id not in response.text


def test_no_cookie_gets_into_the_log(server, visitors):
    page = probe_target("/stored/probe", header=PUBLIC, page=next(number))
    for _ in range(2):
        visitors["anna"].get(page)
    log = (server.folder / "access.log").read_text()
    kept = [line for line in log.splitlines() if visitors["anna"].id in line]
    # A quick handler answers before anybody knows the place.
    assert len(kept) <= (1 if server.quick else 0), kept
