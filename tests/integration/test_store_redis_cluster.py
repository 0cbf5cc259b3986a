# SPDX-License-Identifier: Apache-2.0
"""The store redis-cluster on a Cluster of its own: slots move and nodes die under load."""
import pytest

from harness.redis_several import Cluster
from harness.store_suites import run_suite


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster().start()
    yield cluster
    cluster.clean_up()


@pytest.mark.parametrize("suite", ["check_store_contract", "check_store_hosts"])
def test_contract(cluster, suite):
    run_suite(suite, cluster.url("prefix=a%n:"))
