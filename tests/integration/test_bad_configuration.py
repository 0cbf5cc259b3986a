# SPDX-License-Identifier: Apache-2.0
"""What is wrong in the configuration is said by `apachectl -t`, in one line: what and where."""
import re
import subprocess

import pytest

from harness import build
from harness.servers import Servers

ROW = re.compile(r'^OPTION\((\w+), (\w+), "(\w+)", "([^"]*)", (\d+), (\d+), (\w+),', re.M)
OPTIONS = ROW.findall((build.SOURCE / "common/config/options.def").read_text())


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
    assert len(OPTIONS) >= 28


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


MISSING = {
    "instance": "SessionFastInstance /nonexistent/folder/instance",
    "state": "SessionFastStateDirectory /nonexistent/folder/state",
    "daemon": "SessionFastDaemon /nonexistent/folder/session-fastd",
    "store": "SessionFastStore sqlite:/nonexistent/folder/sessions.db",
    "scheme": "SessionFastStore nonexistent:somewhere",
}


@pytest.mark.parametrize("what", MISSING)
def test_missing_folder_or_program(server, what):
    is_good, said, _ = check(server, MISSING[what])
    assert not is_good, said
    about = [line for line in said if "nonexistent" in line]
    assert len(about) == 1, said
    assert "SessionFast" in about[0]


@pytest.mark.parametrize("name", ["../up", "a/b", "/tmp/../etc"])
def test_instances_that_lead_elsewhere(server, name):
    is_good, said, _ = check(server, f"SessionFastInstance {name}")
    assert not is_good
    assert any("SessionFastInstance" in line for line in said), said
