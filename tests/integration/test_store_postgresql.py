# SPDX-License-Identifier: Apache-2.0
"""The store postgresql: on real servers, which are stopped, frozen, killed, locked and filled up."""
import subprocess

import pytest

from harness.daemon import create, key
from harness.postgresql import PostgreSQL
from harness.store_suites import (LINES, OUTAGES, Outage, assert_row_is_refused_alone, assert_story, check_import_and_export,
                                    logged, outage_reason, run_suite)
from harness.waiting import wait_until

PASSWORD = "Xq7-not-in-any-log"

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def cluster():
    server = PostgreSQL()
    server.start()
    for number in range(2):
        server.ask(f"CREATE ROLE {('app', 'guest')[number]} LOGIN PASSWORD '{PASSWORD}'")
    yield server
    print(server.log.read_text()[-3000:])
    server.clean_up()


@pytest.fixture
def server(cluster):
    """With an empty database "sessions", which belongs to the user app, and without what an earlier test has left."""
    if cluster.process.poll() is not None:
        cluster.start()
    cluster.ask("DROP DATABASE IF EXISTS sessions WITH (FORCE)")
    cluster.ask("CREATE DATABASE sessions OWNER app")
    return cluster


def url(server, options=""):
    return server.url("sessions", options, user="app")


# ---- the contract ----

@pytest.mark.parametrize("suite", ["check_store_contract", "check_store_hosts", "check_store_news"])
def test_contract(server, suite):
    run_suite(suite, url(server, "schema=t%n"), url(server, "schema=p%n&pgbouncer=1"),
              server.tcp_url("app", PASSWORD, "sessions", "?sslmode=disable&schema=q%n"))


def test_import_and_export(server, alone, store):
    check_import_and_export(alone().start(), store, url(server))


def test_check(server, check):
    """A server that is well, with and without tables; a role without rights; tables of a later version; a replica's rule."""
    code, findings = check(server.tcp_url("app", PASSWORD, "sessions"))
    assert (code, findings.bad()) == (0, set()) and "will be made" in findings.why("tables")
    assert [findings.level(what) for what in ("look up", "connect", "news", "clock")] == ["ok"] * 4
    code, findings = check(url(server))
    assert (code, findings.bad()) == (0, set()) and "SELECT, INSERT" in findings.why("rights")
    code, findings = check(server.url("sessions", user="guest"))
    assert code == 3 and len(findings.of("rights")) == 5
    server.ask("DROP INDEX session_fast_user; UPDATE session_fast_schema SET version = 9", "sessions")
    code, findings = check(url(server))
    assert (code, findings.level("indexes"), findings.level("schema")) == (1, "warning", "error")
    server.ask("DROP TABLE session_fast_session, session_fast_schema; REVOKE CREATE ON SCHEMA public FROM PUBLIC, app;"
               "ALTER SCHEMA public OWNER TO owner", "sessions")
    server.ask("ALTER DATABASE sessions OWNER TO owner")
    server.ask("ALTER ROLE app SET default_transaction_read_only = on")
    code, findings = check(url(server))
    server.ask("ALTER ROLE app RESET default_transaction_read_only")
    assert code == 3 and findings.level("role") == "error" and "may not make them" in findings.why("tables")
    for broken, what in ((server.tcp_url("app", "wrong", "sessions"), "log in"), (url(server) + "pgbouncer=1", "news")):
        assert check(broken)[1].level(what) != "ok"


def test_story_through_httpd(servers, server):
    ended = "SELECT ended FROM session_fast_session WHERE \"user\" = 'alice'"
    assert_story(servers, url(server), ask=lambda: {"f": False, "t": True}[server.ask(ended, "sessions")])


def what_is_told(listener):
    """psql shows behind an answer what it has been told by then."""
    listener.stdin.write("SELECT 1;\n\\echo asked\n")
    listener.stdin.flush()
    lines = []
    while not lines or lines[-1] != "asked\n":
        lines.append(listener.stdout.readline())
        assert lines[-1], lines
    return "".join(lines)


def test_changed_keys_are_told(server, alone):
    daemon = alone(LINES, store=url(server)).start()
    schema = server.ask("SELECT relnamespace FROM pg_class WHERE relname = 'session_fast_session'", "sessions")
    listener = subprocess.Popen(server.command("", "sessions")[:-2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    listener.stdin.write(f"LISTEN session_fast_{schema};\n\\echo listening\n")
    listener.stdin.flush()
    assert listener.stdout.readline() == "listening\n"
    with daemon.client() as client:
        for number in range(200):
            create(client, number, "SET", "a", "1")
        client.call("SESSION.FLUSH")
    wanted = [key(number) for number in range(200)]
    heard = []
    wait_until(lambda: heard.append(what_is_told(listener)) or all(one in "".join(heard) for one in wanted), "all keys to be told")
    listener.communicate(timeout=20)


# ---- what is refused, and why ----

def test_tables_of_a_later_version_are_refused(server, alone):
    daemon = alone(LINES, store=url(server)).start()
    daemon.stop()
    server.ask("UPDATE session_fast_schema SET version = 99", "sessions")
    done = daemon.run()
    assert done.returncode == 1 and "SF0103" in done.stderr and "later" in done.stderr, done.stderr


@pytest.mark.parametrize("database, password, why", [
    ("sessions", "wrong", "password authentication failed"),
    ("nothing", PASSWORD, "does not exist"),
])
def test_wrong_url_is_an_outage_that_says_why(server, alone, database, password, why):
    daemon = alone(LINES, store=server.tcp_url("app", password, database, "?sslmode=disable")).start()
    assert why in outage_reason(daemon)
    assert password not in daemon.log_text().replace("password", "")


def test_password_file(server, alone, tmp_path):
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o600)
    store = f"postgresql://app@127.0.0.1:{server.port}/sessions?sslmode=disable&password-file={path}"
    daemon = alone(LINES, store=store).start()
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1", options=("STORE",))
    assert logged(daemon) == [0, 0, 0, 0]


def test_privileges_that_are_needed(server, alone):
    """Who may not make tables works with tables that are there, and four rights."""
    server.ask("GRANT CONNECT ON DATABASE sessions TO guest", "sessions")
    store = server.url("sessions", user="guest")
    refused = alone(LINES, store=store).start()
    assert "permission denied" in outage_reason(refused) and "42501" in outage_reason(refused)
    refused.stop()
    alone(LINES, store=url(server)).start().stop()
    server.ask("GRANT SELECT ON session_fast_schema TO guest", "sessions")
    server.ask("GRANT SELECT, INSERT, UPDATE, DELETE ON session_fast_session TO guest", "sessions")
    daemon = alone(LINES, store=store).start()
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1", options=("STORE",))
        client.call("SESSION.APPLY", key(1), "STORE", "OPS", "SET", "a", "2")
    assert logged(daemon) == [0, 0, 0, 0]


def test_row_that_the_server_refuses_holds_up_no_other(server, alone):
    daemon = alone("SessionFastFlushDelay 1h\nSessionFastFlushBatch 1000", store=url(server)).start()
    server.ask("ALTER TABLE session_fast_session ADD CHECK (octet_length(record) < 20000)", "sessions")
    assert_row_is_refused_alone(server, daemon)


# ---- TLS ----

@pytest.fixture
def certificate(server):
    """For the name localhost, and for no number."""
    crt, private = server.data / "server.crt", server.data / "server.key"
    server.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", private, "-out", crt)
    private.chmod(0o600)
    server.ask("ALTER SYSTEM SET ssl = on")
    server.ask("SELECT pg_reload_conf()")
    yield crt
    server.ask("ALTER SYSTEM RESET ssl")
    server.ask("SELECT pg_reload_conf()")


def test_certificate_is_checked(server, alone, certificate):
    options = f"sslmode=verify-full&sslrootcert={certificate}"
    good = f"postgresql://app:{PASSWORD}@localhost:{server.port}/sessions?{options}"
    daemon = alone(LINES, store=good).start()
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1", options=("STORE",))
    assert server.ask("SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                      " WHERE ssl AND usename = 'app'") == "t"
    bad = alone(LINES, store=good.replace("@localhost", "@127.0.0.1")).start()
    assert "certificate" in outage_reason(bad)


# ---- outages ----

@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_outage(server, alone, outage):
    outage(server, Outage(alone, url(server)))


def test_read_only(server, alone):
    """As a replica, or after a failover: what is in the cache and what can be loaded goes on."""
    outage = Outage(alone, url(server))
    server.ask("ALTER SYSTEM SET default_transaction_read_only = on")
    server.ask("SELECT pg_reload_conf()")
    try:
        outage.increment()
        outage.wait_for_failed_write()
        assert outage.is_loaded()
        outage.assert_cache_goes_on()
        assert "25006" in outage.daemon.log_text()
    finally:
        server.ask("ALTER SYSTEM RESET default_transaction_read_only")
        server.ask("SELECT pg_reload_conf()")
    assert outage.assert_over() == [0, 0, 1, 1]


def test_no_connection_left(server, alone):
    outage = Outage(alone, url(server))
    server.ask("ALTER ROLE app CONNECTION LIMIT 0")
    server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
    wait_until(lambda: server.ask(server.COUNT_SESSIONS_OF_APP) == "0", "all connections to be closed")
    try:
        outage.assert_cache_goes_on()
        outage.assert_nothing_is_loaded()
        outage.wait_for_failed_write()
        assert "too many connections" in outage.daemon.log_text()
    finally:
        server.ask("ALTER ROLE app CONNECTION LIMIT -1")
    assert outage.assert_over() == [1, 1, 1, 1]
