# SPDX-License-Identifier: Apache-2.0
"""memcached and Redis as SessionFastL2 that come and go under load: both side by side, and the same of each."""
import pytest

from harness.l2_rider import L2Rider
from harness.memcached import Memcached
from harness.redis_cache import RedisCache
from harness.store_rider import side_by_side

pytestmark = pytest.mark.backends


@pytest.fixture
def riders():
    made = []
    try:
        for cache in (Memcached, RedisCache):
            made.append(L2Rider(cache.__name__, cache()))
        side_by_side(made, L2Rider.begin)
        yield made
    finally:
        for rider in made:
            rider.clean_up()


def test_it_comes_and_goes(riders):
    side_by_side(riders, L2Rider.suffer)
