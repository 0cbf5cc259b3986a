# SPDX-License-Identifier: Apache-2.0
"""The store redis-sentinel: with a master, a replica and Sentinels of its own; the master is killed under load."""
import pytest

from harness.daemon import key
from harness.redis_several import Watched, WatchedByTls
from harness.store_suites import LINES, Counters, run_suite
from harness.waiting import wait_until

pytestmark = pytest.mark.backends


@pytest.fixture
def watched():
    watched = Watched().start()
    yield watched
    print(watched.sentinels[0].log.read_text()[-2000:])
    watched.clean_up()


def test_tls(check):
    """To the Sentinel and to the master of which it tells, with their names checked; a session lives there."""
    watched = WatchedByTls().start()
    try:
        code, findings = check(watched.url())
        assert code == 4 and findings.bad() == {"Sentinels", "maxmemory", "persistence", "replicas"}, findings
        assert findings.why("Sentinel") == f"main is at localhost:{watched.master.tls_port}"
        assert findings.level("TLS, log in", f"localhost:{watched.master.tls_port}") == "ok"
        code, findings = check(watched.url(host="127.0.0.1"))
        assert code == 3 and "certificate" in findings.why("Sentinel")
        code, findings = check(watched.url().replace(str(watched.certificates.ca), "/etc/ssl/certs/ca-certificates.crt"))
        assert code == 3 and "certificate" in findings.why("Sentinel")
    finally:
        watched.clean_up()


def test_failover_under_load(watched, alone, check):
    """The contract first. Then the master dies: sessions in the cache go on, and all that was acknowledged is in the new one."""
    run_suite("check_store_contract", watched.url("prefix=session:a%n:"), watched.url("prefix=session:b%n:&wait=1"))
    code, findings = check(watched.url("wait=1"))
    assert code == 4 and findings.bad() == {"maxmemory", "persistence"}, findings
    assert len(findings.of("Sentinel")) == 3 and findings.why("replicas") == "1 connected"
    daemon = alone(LINES, store=watched.url()).start()
    before = watched.master()
    with Counters(daemon, 4) as counters:
        counters.wait_for_more(50)
        before.end()
        wait_until(lambda: watched.master() not in (None, before), "a failover", 30)
        counters.wait_for_more(50)
        wait_until(lambda: daemon.status()["store_state"] == "up", "the daemon to find the new master", 30)
        counters.wait_for_more(50)
    with daemon.client() as client:
        client.call("SESSION.FLUSH")
    assert Watched.SENTINELS not in daemon.log_text()
    after = watched.master()
    for number, count in counters.acknowledged.items():
        assert int(after.ask("HGET", f"session:{key(number)}", "n")) == count
