# SPDX-License-Identifier: Apache-2.0
"""The sample configurations of packaging/: the same story and the same authorizers behind each web server."""
import base64
import hashlib
import re
import shutil

import pytest

from harness import build, processes, samples
from harness.client import Cookie
from harness.gateway import Gateway, ask
from harness.php import Php
from harness.waiting import wait_until
from harness.web_server import CgiFcgiBrowser, WebServer

PLACE = "/run/session-fast-gateway.sock"
DEMO = build.SOURCE / "examples/demo"

# Status, what the page shows, the cookie, Cache-Control: see test_story_is_the_same.
STORY = [
    (200, "", "none", ""),  # the login form
    (200, "user=nobody visits=1 theme=light cart=", "set", "no-store, private"),
    (303, "", "none", "private"),  # an apple into the cart
    (200, "user=nobody visits=1 theme=light cart=apple", "none", "private"),
    (303, "", "set", "no-store, private"),  # alice logs in
    (200, "user=alice visits=2 theme=light cart=apple", "none", "private"),
    (303, "", "none", "private"),  # another theme
    (200, "user=alice visits=2 theme=dark cart=apple", "none", "private"),
    # A page behind the module puts a pear into the cart.
    (200, "user=alice visits=2 theme=dark cart=apple\n pear", "none", "private"),
    (200, "user=alice visits=2 theme=dark cart=apple\n pear", "none", "private"),
    (200, "", "none", "no-store, private"),  # as JSON
    (303, "", "removed", "no-store, private"),  # she logs out
    (200, "user=nobody visits=0 theme=light cart=", "none", ""),
]


@pytest.fixture
def site(servers, probe):
    """Makes a gateway on the instance of an httpd with the module, with php-fpm; `start` starts what is wanted."""
    made = []

    class Site:
        def __init__(self, require="user"):
            """`require`: what authorizers ask for, and more lines of theirs."""
            self.httpd = servers.make()
            self.port = processes.free_port()
            self.gateway = Gateway(instance=self.httpd.instance)
            made.append(self.gateway)
            self.folder = self.gateway.folder
            self.gateway.configure(f"GatewayListen unix:{self.gateway.socket} 127.0.0.1:{self.port}",
                                   samples.text("gateway.conf", {"/usr/lib/cgi-bin": f"{self.folder}/cgi",
                                                                 "/run/php/php-fpm.sock": f"{self.folder}/php.sock",
                                                                 "GatewayRequire user": f"GatewayRequire {require}"}))
            build.compile_c(DEMO / "cgi/visits.c", self.folder / "cgi/visits")
            for program in (DEMO / "cgi/cart.pl", build.APPLICATIONS / "login.pl"):
                self.gateway.script(program.name, program.read_text())
            made.append(Php(self.folder, 2, {"theme.php": (DEMO / "php/theme.php").read_text()}))
            (self.folder / "php/private").mkdir()
            shutil.copy(build.APPLICATIONS / "probe.php", self.folder / "php/private")

        def start(self, extra="", handed_over=None):
            """httpd, with the module, and the gateway."""
            directory = f'<Directory "{self.folder}">\nRequire all granted\n</Directory>\n'
            self.httpd.write_configuration(extra=directory + extra)
            self.httpd.start()
            self.gateway.start(nginx=False, handed_over=handed_over)

        def web_server(self, name, text):
            made.append(WebServer(name, self.folder, text))
            return made[-1].browser()

    yield Site
    for one in reversed(made):
        if isinstance(one, Gateway):
            print(one.report())
        one.clean_up()


# ---- the story

def behind_nginx(site):
    site.start()
    return site.web_server("nginx", samples.text("nginx/gateway.conf", {PLACE: site.gateway.socket}))


def behind_lighttpd(site):
    site.start()
    return site.web_server("lighttpd", samples.text("lighttpd/gateway.conf", {PLACE: site.gateway.socket}))


def behind_mod_proxy_fcgi(site):
    site.start(samples.text("apache/gateway.conf", {PLACE: site.gateway.socket})
               + f'Alias "/theme.php" "{site.folder}/php/theme.php"\n')
    return site.httpd.browser()


def behind_spawn_fcgi(site):
    configuration = site.folder / "gateway.conf"
    configuration.write_text(re.sub("GatewayListen .*", "GatewayListen inherited", configuration.read_text()))
    site.start(handed_over=("spawn-fcgi", site.gateway.socket))
    return CgiFcgiBrowser(site.gateway.socket, site.folder / "php")


def seen(response):
    """What must be the same behind all."""
    page = dict(re.findall(r'<dd id="([a-z]+)">([^<]*)</dd>', response.text))
    values = " ".join(f"{name}={page[name].strip()}" for name in ("user", "visits", "theme", "cart") if name in page)
    cookies = [Cookie(header) for header in response.all("Set-Cookie")]
    assert all(cookie.name == "__Host-id" and {"httponly", "secure", "path"} <= set(cookie.attributes)
               for cookie in cookies) and len(cookies) <= 1
    caching = ", ".join(sorted(set(re.split(", *", response.one("Cache-Control") or ""))))
    cookie = "none" if not cookies else "removed" if cookies[0].is_removal else "set"
    assert not [name for name, _ in response.headers if name.lower().startswith("x-session")]
    assert response.one("Vary") == "Cookie"
    return response.status, values, cookie, caching


def tell(browser, of_module):
    """The story, step by step; `of_module` is a browser with the same cookies at an httpd with the module."""
    steps = [browser.get("/cgi-bin/login.pl"), browser.get("/cgi-bin/visits"),
             browser.post("/cgi-bin/cart.pl", "item=apple"), browser.get("/cgi-bin/cart.pl")]
    before = browser.id
    steps.append(browser.post("/cgi-bin/login.pl", "name=alice"))
    assert browser.id not in (before, None)
    steps += [browser.get("/cgi-bin/visits"), browser.post("/theme.php", "theme=dark"), browser.get("/theme.php")]
    of_module.cookies = browser.cookies
    module = of_module.get("/app/probe?header=X-Session-Append:%20cart%3D%20pear").session
    assert module["SESSION_USER"] == "alice" and module["SESSION_FIELD_VISITS"] == "2"
    steps += [browser.get("/cgi-bin/cart.pl"), browser.get("/theme.php"), browser.get("/session"),
              browser.post("/cgi-bin/login.pl", "leave=1"), browser.get("/cgi-bin/cart.pl")]
    assert browser.id is None
    of_module.cookies = {}
    return steps


@pytest.mark.parametrize("server", [behind_nginx, behind_lighttpd, behind_mod_proxy_fcgi, behind_spawn_fcgi])
def test_story_is_the_same(site, server):
    one = site()
    browser = server(one)
    assert [seen(step) for step in tell(browser, one.httpd.browser())] == STORY


# ---- authorizers

def private(browser, headers=()):
    return browser.get("/private/probe.php", headers)


def is_closed_to_strangers(one, browser):
    """Who is logged in gets there, and nobody else; the last answer for alice."""
    module = one.httpd.browser()
    refused = private(browser)
    assert refused.status == 401 and refused.one("WWW-Authenticate").startswith("Cookie ")
    module.get("/app/probe?header=X-Session-Set:%20color%3Dred")
    browser.cookies = module.cookies
    assert private(browser, [("Variable-SESSION-USER", "root"), ("Session-User", "root")]).status == 401
    module.get("/app/probe?header=X-Session-Login:%20alice")
    allowed = private(browser)
    assert allowed.status == 200
    module.get("/app/probe?header=X-Session-Logout:%201")
    gone = private(browser)
    assert gone.status == 401
    # Not every server would pass it on: so there is none.
    assert not [answer for answer in (refused, allowed, gone) if answer.all("Set-Cookie")]
    return allowed


def both_samples(folder, socket):
    """Side by side in one server, as they are meant to stand."""
    return "\n".join(samples.text(f"{folder}/{name}.conf", {PLACE: socket}) for name in ("gateway", "authorizer"))


def asked_by_nginx(one):
    one.start()
    return one.web_server("nginx", both_samples("nginx", one.gateway.socket))


def asked_by_lighttpd(one):
    one.start()
    return one.web_server("lighttpd", both_samples("lighttpd", one.gateway.socket))


def asked_by_mod_authnz_fcgi(one, socket="gateway.sock"):
    one.start(samples.text("apache/gateway.conf", {PLACE: one.folder / socket})
              + "LoadModule authnz_fcgi_module /usr/lib/apache2/modules/mod_authnz_fcgi.so\n"
              + samples.text("apache/authorizer.conf", {"127.0.0.1:9310": f"127.0.0.1:{one.port}"})
              + f'Alias "/private/" "{one.folder}/php/private/"\n')
    return one.httpd.browser()


def asked_by_mod_fcgid(one, sample="authorizer_fcgid", before=""):
    """It starts gateways of its own, which find the instance's daemon running."""
    configuration = (one.folder / "gateway.conf").read_text()
    (one.folder / "authorizer.conf").write_text(re.sub("Gateway(Listen|User) .*", "", configuration))
    shutil.copy(build.program("session-fast-gateway", "fcgi_gateway"), one.folder / "bin")
    (one.folder / "bin/authorizer").write_text(samples.text("apache/session-fast-authorizer.in", {
        "@sbindir@": one.folder / "bin", "@sysconfdir@/session-fast/gateway.conf": one.folder / "authorizer.conf"}))
    (one.folder / "bin/authorizer").chmod(0o755)
    one.start(samples.text("apache/gateway.conf", {PLACE: one.folder / "php.sock"})
              + before + "LoadModule fcgid_module /usr/lib/apache2/modules/mod_fcgid.so\n"
              f'FcgidIPCDir "{one.folder}/tmp"\nFcgidProcessTableFile "{one.folder}/tmp/fcgid_shm"\n'
              + samples.text(f"apache/{sample}.conf.in", {
                  **({"/etc/apache2/users": one.folder / "users"} if sample.endswith("basic") else {}),
                  "@pkglibexecdir@/session-fast-authorizer": one.folder / "bin/authorizer"})
              + f'Alias "/private/" "{one.folder}/php/private/"\n')
    return one.httpd.browser()


def stop_mod_fcgid(one):
    one.httpd.stop()
    wait_until(lambda: not [process for process in processes.of_instance(one.folder) if "authorizer" in process.command],
               "the gateways of mod_fcgid to end")


@pytest.mark.parametrize("asked", [asked_by_nginx, asked_by_lighttpd, asked_by_mod_authnz_fcgi])
def test_files_are_closed_to_strangers(site, asked):
    """What the web server itself serves, and what comes behind the name of a program."""
    one = site()
    (one.folder / "php/private/page.txt").write_text("for members\n")
    browser = asked(one)
    assert browser.get("/private/page.txt").status == 401
    module = one.httpd.browser()
    module.get("/app/probe?header=X-Session-Login:%20alice")
    browser.cookies = module.cookies
    page = browser.get("/private/page.txt")
    assert page.status == 200 and page.text == "for members\n"
    assert not [name for name, _ in page.headers if name.lower().startswith("variable-")]
    assert browser.get("/private/probe.php/more/of/it").variables["PATH_INFO"] == "/more/of/it"


def test_authorizer_is_no_page(site):
    """Nobody reads the session's variables in its answer: whoever is not asked for a verdict does not find it."""
    one = site()
    one.start()
    assert ask(one.gateway, "/private/page.txt").head.startswith("Status: 404")


def test_nginx_asks(site):
    one = site()
    assert is_closed_to_strangers(one, asked_by_nginx(one)).variables["REMOTE_USER"] == "alice"


def test_lighttpd_asks(site):
    one = site()
    assert is_closed_to_strangers(one, asked_by_lighttpd(one)).session["SESSION_USER"] == "alice"


def test_lighttpd_tells_others_who_it_is(site):
    one = site()
    one.start()
    browser = one.web_server("lighttpd", samples.text("lighttpd/authorizer.conf", {PLACE: one.gateway.socket})
                             + f'fastcgi.server += ( ".php" => (( "socket" => "{one.folder}/php.sock" )) )\n')
    session = is_closed_to_strangers(one, browser).session
    assert session["SESSION_USER"] == "alice" and session["SESSION_FIELD_COLOR"] == "red"


@pytest.mark.parametrize("socket", ["gateway.sock", "php.sock"])
def test_mod_authnz_fcgi_asks(site, socket):
    """In front of the gateway, and of an application that knows nothing of sessions."""
    one = site()
    variables = is_closed_to_strangers(one, asked_by_mod_authnz_fcgi(one, socket)).variables
    assert variables["SESSION_USER"] == variables["REMOTE_USER"] == "alice"
    assert variables["SESSION_FIELD_COLOR"] == "red"


def test_mod_fcgid_asks(site):
    one = site()
    allowed = is_closed_to_strangers(one, asked_by_mod_fcgid(one))
    assert allowed.session["SESSION_USER"] == "alice" and allowed.session["SESSION_FIELD_COLOR"] == "red"
    assert allowed.all("Variable-SESSION_USER") == ["alice"]
    stop_mod_fcgid(one)


AUTH_BASIC = "LoadModule auth_basic_module /usr/lib/apache2/modules/mod_auth_basic.so\n"


def says(name, password="any"):
    return [("Authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode())]


@pytest.mark.parametrize("before", ["", AUTH_BASIC], ids=["alone", "behind mod_auth_basic"])
def test_mod_fcgid_authenticates(site, before):
    """The name of HTTP Basic, which is REMOTE_USER then, must be that of the session."""
    one = site()
    browser = asked_by_mod_fcgid(one, "authenticator_fcgid", before)
    assert private(browser).status == private(browser, says("alice")).status == 401
    module = one.httpd.browser()
    module.get("/app/probe?header=X-Session-Login:%20alice")
    browser.cookies = module.cookies
    assert private(browser).status == private(browser, says("bob")).status == 401
    allowed = private(browser, says("alice"))
    assert allowed.status == 200
    assert allowed.variables["REMOTE_USER"] == allowed.variables["SESSION_USER"] == "alice"
    module.get("/app/probe?header=X-Session-Logout:%201")
    assert private(browser, says("alice")).status == 401
    stop_mod_fcgid(one)


def test_mod_fcgid_authorizes(site):
    """Whom httpd knows already, by a password."""
    one = site()
    digest = base64.b64encode(hashlib.sha1(b"right").digest()).decode()
    (one.folder / "users").write_text("carol:{SHA}" + digest + "\n")
    browser = asked_by_mod_fcgid(one, "authorizer_fcgid_basic", AUTH_BASIC)
    assert private(browser, says("carol", "right")).status == 401
    module = one.httpd.browser()
    module.get("/app/probe?header=X-Session-Login:%20alice")
    browser.cookies = module.cookies
    assert private(browser).status == private(browser, says("carol", "wrong")).status == 401
    allowed = private(browser, says("carol", "right"))
    assert allowed.status == 200
    assert allowed.variables["REMOTE_USER"] == "carol" and allowed.variables["SESSION_USER"] == "alice"
    stop_mod_fcgid(one)


@pytest.mark.parametrize("asked, stranger, wrong_user", [
    (asked_by_nginx, 401, 403), (asked_by_lighttpd, 302, 403),
    (asked_by_mod_authnz_fcgi, 302, 403), (asked_by_mod_fcgid, 401, 401)])
def test_refusals_are_what_the_server_passes_on(site, asked, stranger, wrong_user):
    one = site("user bob\nGatewayLoginPage /cgi-bin/login.pl")
    browser = asked(one)
    refused = private(browser)
    assert refused.status == stranger
    assert (refused.one("Location") or "").endswith("/cgi-bin/login.pl?return=/private/probe.php") == (stranger == 302)
    module = one.httpd.browser()
    module.get("/app/probe?header=X-Session-Login:%20alice")
    browser.cookies = module.cookies
    assert private(browser).status == wrong_user
    module.get("/app/probe?header=X-Session-Login:%20bob")
    assert private(browser).status == 200
    if asked is asked_by_mod_fcgid:
        stop_mod_fcgid(one)
