# SPDX-License-Identifier: Apache-2.0
"""What is wrong in the configuration is said by `apachectl -t`, in one line: what and where."""
import re
import subprocess

import pytest

from harness import build
from harness.servers import Servers

ROW = re.compile(r'^OPTION\((\w+), (\w+), "(\w+)", "([^"]*)", (\d+), (\d+), (\w+),', re.M)
ROWS = ROW.findall((build.SOURCE / "common/config/options.def").read_text())
OPTIONS = [row for row in ROWS if row[6] in ("INSTANCE", "LOCATION")]
OF_THE_GATEWAY = [row[2] for row in ROWS if row not in OPTIONS]


def wrong_values():
    """(directive, scope, value): for every option each way to be wrong that its type has."""
    for kind, _, directive, _, least, most, scope in OPTIONS:
        least, most = int(least), int(most)
        if kind in ("DURATION", "SIZE", "INTEGER"):
            unit = "ms" if kind == "DURATION" else ""
            yield directive, scope, f"{most + 1}{unit}"
            yield directive, scope, "banana"
            yield directive, scope, "99999999999999999999999999"
            if least > 0:
                yield directive, scope, f"{least - 1}{unit}"
            yield directive, scope, "-1"
        elif kind == "FLAG":
            yield directive, scope, "maybe"
        elif kind == "ENUM":
            yield directive, scope, "purple"
        else:
            if most < 8000:  # httpd's own limit for a line
                yield directive, scope, "/" + "x" * most
            if least > 0:
                yield directive, scope, '""'


@pytest.fixture(scope="module")
def server(probe):
    with Servers(probe) as servers:
        yield servers.make("event")


def check(server, lines):
    """Runs the test of the configuration; returns success, its lines, and the number of the first of `lines`."""
    server.write_configuration(extra="# here\n" + lines)
    text = (server.folder / "httpd.conf").read_text()
    first = text[:text.index("# here")].count("\n") + 2
    done = subprocess.run([build.HTTPD, "-t", "-f", server.folder / "httpd.conf"], capture_output=True, text=True,
                          timeout=20)
    said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    return done.returncode == 0, said, first


def test_options_were_found():
    assert len(OPTIONS) >= 28 and len(OF_THE_GATEWAY) >= 28


def test_options_of_the_gateway_are_not_httpds(server):
    known = subprocess.run([build.HTTPD, "-L", "-f", server.folder / "httpd.conf"], capture_output=True, text=True,
                           timeout=20).stdout
    assert "SessionFastStore (mod_session_fast.c)" in known
    assert not [directive for directive in OF_THE_GATEWAY if f"{directive} (" in known]


def test_good_configuration_passes_and_makes_nothing(server):
    is_good, said, _ = check(server, "")
    assert is_good, said
    assert not server.instance.exists()


@pytest.mark.parametrize("directive, scope, value", wrong_values(),
                         ids=lambda value: value if len(value) < 40 else "long")
def test_value_out_of_range(server, directive, scope, value):
    is_good, said, first = check(server, f"{directive} {value}")
    assert not is_good
    text = "\n".join(said)
    # httpd says where in one line and passes on what we said in the next.
    assert f"Syntax error on line {first} of {server.folder}/httpd.conf" in text, text
    about = [line for line in said if directive in line]
    assert len(about) == 1, text
    assert len(said) <= 2, text


@pytest.mark.parametrize("directive", sorted({row[2] for row in OPTIONS if row[6] == "INSTANCE"}))
def test_options_of_the_whole_server_are_refused_elsewhere(server, directive):
    value = {row[2]: row[3] for row in OPTIONS}[directive] or "none"
    is_good, said, _ = check(server, f'<Location "/x/">\n{directive} {value}\n</Location>')
    assert not is_good
    assert directive in "\n".join(said)


COMBINATIONS = {
    "host prefix with a path": ("SessionFastCookiePath /x", ["SessionFastCookieName", "__Host-"]),
    "host prefix with a domain": ("SessionFastCookieDomain example.org", ["__Host-"]),
    "host prefix without Secure": ("SessionFastCookieSecure Off", ["__Host-"]),
    "secure prefix without Secure": ("SessionFastCookieName __Secure-id\nSessionFastCookieSecure Off", ["__Secure-"]),
    "None without Secure": ("SessionFastCookieName id\nSessionFastCookieSecure Off\nSessionFastCookieSameSite None",
                            ["SessionFastCookieSameSite"]),
    "a name that is no token": ('SessionFastCookieName "a b"', ["SessionFastCookieName"]),
    "__Http- without HttpOnly": ("SessionFastCookieName __Http-id\nSessionFastCookieHttpOnly Off",
                                 ["__Http-id", "HttpOnly"]),
    "a domain without a name": ("SessionFastCookieName id\nSessionFastCookieDomain ..", ["SessionFastCookieDomain"]),
    "a cookie for less than a second": ("SessionFastCookieMaxAge 999ms", ["SessionFastCookieMaxAge"]),
    "absolute below idle": ("SessionFastIdleTimeout 2h\nSessionFastAbsoluteTimeout 1h", ["SessionFastAbsoluteTimeout"]),
}


@pytest.mark.parametrize("where", ["server", "location", "host"])
@pytest.mark.parametrize("name", COMBINATIONS)
def test_illegal_combination(server, name, where):
    lines, expected = COMBINATIONS[name]
    lines = {"server": lines, "location": f'<Location "/x/">\nSessionFast On\n{lines}\n</Location>',
             "host": f"<VirtualHost *:{server.port}>\nServerName h\n{lines}\n</VirtualHost>"}[where]
    is_good, said, _ = check(server, lines)
    assert not is_good, said
    about = [line for line in said if all(word in line for word in expected)]
    assert len(about) == 1, said


# name: (lines, number of the line that is to blame)
PLACES = {
    "in the middle of a section": ("""<Location "/x/">
SessionFast On
SessionFastIdleTimeout 20min
SessionFastCookieSecure Off
SessionFastDeadline 100ms
SessionFastMaxBytes 32K
</Location>""", 4),
    "in the middle of the server": ("""SessionFastIdleTimeout 20min
SessionFastCookiePath /shop
SessionFastDeadline 100ms""", 2),
    "the later of two": ("""<Location "/x/">
SessionFastCookieName __Secure-x
SessionFastDeadline 100ms
SessionFastCookieSecure Off
SessionFast On
</Location>""", 4),
    "a Location in a Location": ("""<Location "/x">
SessionFast On
SessionFastCookieName id
SessionFastCookieSecure Off
</Location>
<Location "/x/y">
SessionFastMaxBytes 32K
SessionFastCookieName __Host-id
</Location>""", 8),
    "a Location around a Location": ("""<Location "/x/y">
SessionFastCookieName __Secure-id
</Location>
<Location "/x">
SessionFastCookieName id
SessionFastCookieSecure Off
</Location>
<Location "/x/y/z">
SessionFastCookieName __Secure-id
</Location>""", 9),
    "a Directory in a Directory": ("""<Directory "/srv/x/y/">
SessionFastCookieName __Secure-id
</Directory>
<Directory "/srv/x">
SessionFastCookieName id
SessionFastCookieSecure Off
</Directory>""", 2),
    "an expression in a Location": ("""<Location "/x">
SessionFast On
SessionFastCookieName id
SessionFastCookieSecure Off
</Location>
<LocationMatch "^/x/[a-z]+$">
SessionFastCookieSameSite None
</LocationMatch>""", 7),
    "an If in a Location": ("""<Location "/x">
SessionFastCookieName id
SessionFastCookieSecure Off
<If "true">
SessionFastCookieSameSite None
</If>
</Location>""", 5),
    "a section of the main server in a host": ("""<Location "/x">
SessionFast On
SessionFastCookieName __Secure-id
</Location>
<VirtualHost *:1>
ServerName h
SessionFastCookieName id
SessionFastCookieSecure Off
</VirtualHost>""", 3),
    "of the whole server": ("""SessionFastFlushBatch 7
SessionFastStore sqlite:
SessionFastFlushDelay 2s""", 2),
    "against a default of all places": ("""SessionFastFlushBatch 7
SessionFastTombstoneLifetime 5s
SessionFastMaxBytes 32K""", 2),
    "between server and section": ("""SessionFastTombstoneLifetime 12s
<Location "/x">
SessionFastRotateGrace 13s
SessionFastMaxBytes 32K
</Location>""", 3),
}


@pytest.mark.parametrize("name", PLACES)
def test_the_line_to_blame_is_named(server, name):
    lines, blamed = PLACES[name]
    is_good, said, first = check(server, lines)
    assert not is_good, said
    about = [line for line in said if f"httpd.conf, line {first + blamed - 1}: SessionFast" in line]
    assert len(about) == 1, (first, said)
    assert len([line for line in said if "SessionFast" in line]) == 1, said


LEGAL = {
    "by the Location around it": """<Location "/x">
SessionFastCookieName id
</Location>
<Location "/x/y">
SessionFastCookieSecure Off
</Location>""",
    "by a Location that comes later": """<Location "/x/y">
SessionFastCookieSecure Off
</Location>
<Location "/x">
SessionFastCookieName id
</Location>""",
    "by the Directory around it": """<Directory "/srv/x/y/">
SessionFastCookieSecure Off
</Directory>
<Directory "/srv/x">
SessionFastCookieName id
</Directory>""",
    "by the Location around an expression": """<Location "/x">
SessionFastCookieName id
</Location>
<LocationMatch "^/x/y\\.php$">
SessionFastCookieSecure Off
</LocationMatch>
<Location ~ "^/x/z">
SessionFastCookieSecure Off
</Location>""",
    "by the section around it": """<Location "/x">
<If "true">
SessionFastCookieSecure Off
</If>
SessionFastCookieName id
</Location>
<DirectoryMatch "^/srv">
SessionFastCookieName id
<Files "*.php">
SessionFastCookieSecure Off
</Files>
</DirectoryMatch>""",
    "by the virtual host": """<VirtualHost *:1>
ServerName h
SessionFastCookieName id
<Location "/x">
SessionFastCookieSecure Off
</Location>
</VirtualHost>""",
    "by a section of the main server": """<Location "/x">
SessionFastCookieName id
</Location>
<VirtualHost *:1>
ServerName h
<Location "/x/y">
SessionFastCookieSecure Off
</Location>
</VirtualHost>""",
    "a preset": "SessionFastPreset read-heavy",
    "a preset in front of what it would change": "SessionFastPreset write-heavy\nSessionFastCacheTTL 1d",
    "a preset behind it": "SessionFastCacheTTL 1s\nSessionFastPreset Read-Heavy",
    "where there are no sessions": """<Location "/x">
SessionFastCookieName __Secure-id
</Location>
<VirtualHost *:1>
ServerName h
SessionFastCookieName id
SessionFastCookieSecure Off
</VirtualHost>""",
}


@pytest.mark.parametrize("name", LEGAL)
def test_legal_combination(server, name):
    is_good, said, _ = check(server, LEGAL[name])
    assert is_good, said


@pytest.mark.parametrize("lines", [
    '<Location "/x">\nSessionFastCookieName id\n</Location>\n<Location "/xy">\nSessionFastCookieSecure Off\n</Location>',
    '<Location "/x/">\nSessionFastCookieName id\n</Location>\n<Location "/x">\nSessionFastCookieSecure Off\n</Location>',
], ids=["a name that begins alike", "a slash more"])
def test_what_is_not_around_it_does_not_help(server, lines):
    is_good, said, _ = check(server, lines)
    assert not is_good, said


def test_field_without_a_name(server):
    is_good, said, _ = check(server, '<Location "/x/">\nRequire session-field ""\n</Location>')
    assert not is_good
    assert any("session-field" in line for line in said), said


# What only a request brings together

MET = """
ScriptAlias /met/ "{folder}/cgi/"
ScriptAlias /met/there/ "{folder}/cgi/"
<Directory "{folder}/cgi">
    SessionFastCookieSecure On
    SessionFastCookieName __Secure-id
</Directory>
<Location "/met">
    SessionFast On
    SessionFastCookieName id
    SessionFastCookieSecure Off
</Location>
<Location "/app">
    SessionFastIdleTimeout 20min
</Location>
<Directory "{folder}/site/crossed">
    SessionFastCookieName id
    SessionFastCookieSecure Off
</Directory>
<Location "/crossed/">
    SessionFast On
    SessionFastMaxBytes 32K
    SessionFastCookieName __Secure-id
    SessionFastDeadline 100ms
</Location>
<Location "/lost/">
    ErrorDocument 404 /crossed/index.html
</Location>
Alias /inner/ "{folder}/site/inner/"
<Directory "{folder}/site/inner">
    AllowOverride AuthConfig
    SessionFast On
    Options +Includes
    SetOutputFilter INCLUDES
</Directory>
"""


@pytest.fixture(scope="module")
def running(probe):
    with Servers(probe) as servers:
        server = servers.make("event", extra=MET)
        for name in ("inner", "crossed"):
            (server.folder / "site" / name).mkdir()
            (server.folder / "site" / name / "index.html").write_text(f"this is {name}\n")
        yield server.start()


def htaccess(server, lines):
    """The status of a page under these lines, and what was logged."""
    (server.folder / "site/inner/.htaccess").write_text(lines)
    seen = len(server.log_lines("SF0"))
    browser = server.browser()
    status = browser.get("/inner/index.html").status
    browser.close()
    return status, server.log_lines("SF0")[seen:]


@pytest.mark.parametrize("lines", [
    "SessionFastCookieName id\nSessionFastCookieSecure Off\n",
    "SessionFastCookieSecure Off\nSessionFastCookieName id\n",
    "SessionFastIdleTimeout 13h\nSessionFastAbsoluteTimeout 14h\n",
    "SessionFastAbsoluteTimeout 10min\nSessionFastIdleTimeout 5min\n",
], ids=["name first", "name last", "idle first", "absolute first"])
def test_order_in_htaccess_does_not_matter(running, lines):
    assert htaccess(running, lines) == (200, [])


@pytest.mark.parametrize("lines, blamed", [("SessionFastMaxBytes 32K\nSessionFastCookiePath /x\n", 2),
                                           ("SessionFastCookieSecure Off\nSessionFastMaxBytes 32K\n", 1)])
def test_illegal_htaccess(running, lines, blamed):
    status, said = htaccess(running, lines)
    assert status == 500
    (line,) = said
    assert "SF0506" in line and f"site/inner/.htaccess, line {blamed}: SessionFast" in line


def test_illegal_htaccess_where_there_are_no_sessions(running):
    assert htaccess(running, "SessionFast Off\nSessionFastCookieSecure Off\n") == (200, [])


def test_wrong_value_in_htaccess(running):
    status, said = htaccess(running, "SessionFastIdleTimeout banana\n")
    assert status == 500
    assert len(said) == 1 and "SF0501" in said[0]


def test_directory_and_location_are_met_by_a_request(running):
    """Either is legal without the other, and so is what they are together: the cookie of the Location."""
    browser = running.browser()
    response = browser.get("/met/probe?header=X-Session-Set:%20a%3D1")
    assert response.status == 200
    (cookie,) = response.all("Set-Cookie")
    assert cookie.startswith("id=") and "Secure" not in cookie
    assert browser.get("/app/probe").status == 200


@pytest.mark.parametrize("target", ["/crossed/index.html", "/lost/page"], ids=["request", "error page"])
def test_illegal_only_with_a_request(running, target):
    seen = len(running.log_lines("SF0"))
    browser = running.browser()
    response = browser.get(target)
    browser.close()
    assert response.status >= 400 and "this is crossed" not in response.text
    (line,) = running.log_lines("SF0")[seen:]
    text = (running.folder / "httpd.conf").read_text()
    blamed = text[:text.index("SessionFastCookieName __Secure-id\n    SessionFastDeadline")].count("\n") + 1
    assert "SF0506" in line and f"httpd.conf, line {blamed}: SessionFastCookieName" in line


MISSING = {
    "instance": "SessionFastInstance /nonexistent/folder/instance",
    "state": "SessionFastStateDirectory /nonexistent/folder/state",
    "daemon": "SessionFastDaemon /nonexistent/folder/session-fastd",
    "store": "SessionFastStore sqlite:/nonexistent/folder/sessions.db",
    "scheme": "SessionFastStore nonexistent:somewhere",
    "folder in the state folder": "SessionFastStore sqlite:nonexistent/sessions.db",
}

NO_FILE = {
    "nothing": "SessionFastStore sqlite:",
    "a folder": "SessionFastStore sqlite:/tmp",
    "a folder with a slash": "SessionFastStore sqlite:/tmp/",
    "a folder in the state folder": "SessionFastStateDirectory /usr\nSessionFastStore sqlite:lib",
    "a way up": "SessionFastStore sqlite:/tmp/../x.db",
    "a way up from the state folder": "SessionFastStore sqlite:../x.db",
}


@pytest.mark.parametrize("what", NO_FILE)
def test_store_that_is_no_file(server, what):
    is_good, said, first = check(server, NO_FILE[what])
    assert not is_good, said
    about = [line for line in said if "SessionFastStore" in line]
    assert len(about) == 1, said
    assert f"httpd.conf, line {first + NO_FILE[what].count(chr(10))}: SessionFastStore" in about[0]


@pytest.mark.parametrize("what", MISSING)
def test_missing_folder_or_program(server, what):
    is_good, said, first = check(server, MISSING[what])
    assert not is_good, said
    about = [line for line in said if "nonexistent" in line]
    assert len(about) == 1, said
    assert f"httpd.conf, line {first}: {MISSING[what].split()[0]}" in about[0]


@pytest.mark.parametrize("rival", ["SessionCookieName other", "SessionDBDCookieName other", "SessionDBDPerUser On"])
def test_a_second_provider_in_one_place_is_warned_of(server, rival):
    modules = "".join(f'LoadModule {name}_module "{build.HTTPD_MODULES}/mod_{name}.so"\n'
                      for name in ("dbd", "session_dbd"))
    places = [f'<Location "/x">\nSessionFast On\n{rival}\n</Location>', f"SessionFast On\n{rival}"]
    for lines in places:
        is_good, said, first = check(server, modules + lines)
        assert is_good, said
        (line,) = [line for line in said if "SF0505" in line]
        at = first + 2 + lines.split("\n").index(rival)
        assert f"httpd.conf, line {at}: {rival.split()[0]} " in line
    lines = f'{modules}<Location "/x">\nSessionFast On\n</Location>\n<Location "/y">\n{rival}\n</Location>'
    is_good, said, _ = check(server, lines)
    assert is_good and not any("SF0505" in line for line in said), said


def test_instance_that_is_a_file(server, tmp_path):
    (tmp_path / "file").write_text("")
    is_good, said, _ = check(server, f"SessionFastInstance {tmp_path}/file")
    assert not is_good and any(f"SessionFastInstance: {tmp_path}/file is no folder" in line for line in said), said


@pytest.mark.parametrize("name", ["../up", "a/b", "/tmp/../etc"])
def test_instances_that_lead_elsewhere(server, name):
    is_good, said, _ = check(server, f"SessionFastInstance {name}")
    assert not is_good
    assert any("SessionFastInstance" in line for line in said), said
