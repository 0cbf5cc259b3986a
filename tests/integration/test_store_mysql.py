# SPDX-License-Identifier: Apache-2.0
"""The store mysql: on real servers, which are stopped, frozen, killed, locked and filled up."""
import pytest

from harness.daemon import create, key
from harness.mysql import MySQL
from harness.store_suites import (LINES, OUTAGES, Outage, assert_row_is_refused_alone, assert_story, check_import_and_export,
                                    logged, outage_reason, run_suite)
from harness.waiting import wait_until

PASSWORD = "Xq7-not-in-any-log"

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def cluster():
    """Anybody may come by the socket; by TCP a password is asked for."""
    server = MySQL()
    server.start()
    server.ask("CREATE USER app@localhost; CREATE USER guest@localhost;"
               f"CREATE USER app@127.0.0.1 IDENTIFIED BY '{PASSWORD}'")
    yield server
    print(server.log.read_text()[-3000:])
    server.clean_up()


@pytest.fixture
def server(cluster):
    """With an empty database "sessions", which the user app may use, and without what an earlier test has left."""
    if cluster.process.poll() is not None:
        cluster.start()
    cluster.ask("DROP DATABASE IF EXISTS sessions; CREATE DATABASE sessions;"
                "GRANT ALL ON sessions.* TO app@localhost; GRANT ALL ON sessions.* TO app@127.0.0.1")
    return cluster


def url(server, options=""):
    return server.url("sessions", options)


# ---- the contract ----

@pytest.mark.parametrize("suite", ["check_store_contract", "check_store_hosts"])
def test_contract(server, suite):
    run_suite(suite, url(server, "&prefix=t%n_"), server.tcp_url("app", PASSWORD, "sessions", "?prefix=q%n_"))


def test_import_and_export(server, alone, store):
    check_import_and_export(alone().start(), store, url(server))


def test_check(server, check):
    """A server that is well, with and without tables; users without rights; settings that lose changes."""
    code, findings = check(server.tcp_url("app", PASSWORD, "sessions"))
    assert (code, findings.bad()) == (0, set()) and "will be made" in findings.why("tables")
    assert [findings.level(what) for what in ("look up", "connect", "clock")] == ["ok"] * 3
    assert findings.why("version").startswith("MariaDB 1")
    code, findings = check(url(server))
    assert (code, findings.bad()) == (0, set()) and findings.level("rights") == "ok"
    server.ask("GRANT SELECT, INSERT ON sessions.* TO guest@localhost")
    code, findings = check(server.url("sessions", user="guest"))
    assert code == 3 and [found["why"].split(":")[0] for found in findings.of("rights")] == ["UPDATE", "DELETE"]
    server.ask("REVOKE ALL ON sessions.* FROM guest@localhost")
    server.ask("SET GLOBAL innodb_flush_log_at_trx_commit = 2; SET GLOBAL read_only = 1")
    code, findings = check(url(server))
    server.ask("SET GLOBAL innodb_flush_log_at_trx_commit = 1; SET GLOBAL read_only = 0")
    assert code == 3 and (findings.level("persistence"), findings.level("role")) == ("warning", "error")
    assert check(server.tcp_url("app", "wrong", "sessions"))[1].level("log in") == "error"


def test_story_through_httpd(servers, server):
    ended = "SELECT ended FROM session_fast_session WHERE `user` = 'alice'"
    assert_story(servers, url(server), ask=lambda: {"0": False, "1": True}[server.ask(ended, "sessions")])


# ---- what is refused, and why ----

def test_tables_of_a_later_version_are_refused(server, alone):
    daemon = alone(LINES, store=url(server)).start()
    daemon.stop()
    server.ask("UPDATE session_fast_schema SET version = 99", "sessions")
    done = daemon.run()
    assert done.returncode == 1 and "SF0103" in done.stderr and "later" in done.stderr, done.stderr


@pytest.mark.parametrize("database, password, why", [
    ("sessions", "wrong", "error 1045"),
    ("nothing", PASSWORD, "error 1044"),
])
def test_wrong_url_is_an_outage_that_says_why(server, alone, database, password, why):
    daemon = alone(LINES, store=server.tcp_url("app", password, database)).start()
    assert why in outage_reason(daemon)
    assert PASSWORD not in daemon.log_text()


def test_privileges_that_are_needed(server, alone):
    """Who may not make tables works with tables that are there, and four rights."""
    server.ask("GRANT SELECT, INSERT, UPDATE, DELETE ON sessions.* TO guest@localhost")
    store = server.url("sessions", user="guest")
    refused = alone(LINES, store=store).start()
    assert "error 1142" in outage_reason(refused)
    refused.stop()
    alone(LINES, store=url(server)).start().stop()
    daemon = alone(LINES, store=store).start()
    with daemon.client() as client:
        create(client, 1, "SET", "a", "1", options=("STORE",))
        client.call("SESSION.APPLY", key(1), "STORE", "OPS", "SET", "a", "2")
    assert logged(daemon) == [0, 0, 0, 0]


@pytest.mark.parametrize("limit", ["a constraint", "the size of a packet"])
def test_row_that_the_server_refuses_holds_up_no_other(server, alone, limit):
    if limit == "a constraint":
        alone(LINES, store=url(server)).start().stop()
        server.ask("ALTER TABLE session_fast_session ADD CHECK (length(record) < 20000)", "sessions")
    else:
        server.ask("SET GLOBAL max_allowed_packet = 65536")
    try:
        daemon = alone("SessionFastFlushDelay 1h\nSessionFastFlushBatch 1000", store=url(server)).start()
        assert_row_is_refused_alone(server, daemon)
    finally:
        server.ask("SET GLOBAL max_allowed_packet = 16777216")


# ---- TLS ----

@pytest.mark.parametrize("name, is_good", [("IP:127.0.0.1", True), ("IP:192.0.2.1", False), ("DNS:localhost", False)])
def test_certificate_is_checked(server, alone, name, is_good):
    crt, private = server.folder / "server.crt", server.folder / "server.key"
    server.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
               "-subj", "/CN=session-fast", "-addext", f"subjectAltName={name}", "-keyout", private, "-out", crt)
    server.stop()
    server.start(f"--ssl-cert={crt}", f"--ssl-key={private}")
    try:
        server.ask("ALTER USER app@127.0.0.1 REQUIRE SSL")
        daemon = alone(LINES, store=server.tcp_url("app", PASSWORD, "sessions", f"?tls=verify&ca={crt}")).start()
        if is_good:
            with daemon.client() as client:
                create(client, 1, "SET", "a", "1", options=("STORE",))
        else:
            assert "ertificate" in outage_reason(daemon)
    finally:
        server.ask("ALTER USER app@127.0.0.1 REQUIRE NONE")
        server.stop()
        server.start()


# ---- outages ----

@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.__name__)
def test_outage(server, alone, outage):
    outage(server, Outage(alone, url(server)))


def test_read_only(server, alone):
    """As a replica, or after a failover: what is in the cache and what can be loaded goes on."""
    outage = Outage(alone, url(server))
    server.ask("SET GLOBAL read_only = 1")
    try:
        outage.increment()
        outage.wait_for_failed_write()
        assert outage.is_loaded()
        outage.assert_cache_goes_on()
        assert "error 1290" in outage.daemon.log_text()
    finally:
        server.ask("SET GLOBAL read_only = 0")
    assert outage.assert_over() == [0, 0, 1, 1]


def test_no_connection_left(server, alone):
    outage = Outage(alone, url(server))
    server.ask("ALTER USER app@localhost WITH MAX_USER_CONNECTIONS 1")
    server.ask("KILL USER app@localhost")
    other = wait_until(lambda: only_connection(server), "the one connection to be taken by somebody else")
    try:
        outage.assert_cache_goes_on()
        outage.assert_nothing_is_loaded()
        outage.wait_for_failed_write()
        assert "error 1226" in outage.daemon.log_text()
    finally:
        other.kill()
        other.communicate()
        server.ask("ALTER USER app@localhost WITH MAX_USER_CONNECTIONS 0")
    assert outage.assert_over() == [1, 1, 1, 1]


def only_connection(server):
    """None: the daemon was faster."""
    try:
        return server.session("SELECT 1 INTO @a", "sessions", "app")
    except AssertionError:
        server.ask("KILL USER app@localhost")
        return None
