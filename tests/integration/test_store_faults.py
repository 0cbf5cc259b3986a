# SPDX-License-Identifier: Apache-2.0
"""Redis, PostgreSQL and MySQL behind a network that does harm: all three side by side, and the same of each."""
import time

import pytest

from harness.backends import ALL
from harness.store_rider import Rider, side_by_side

pytestmark = pytest.mark.backends
FLAPPING = 30  # seconds


@pytest.fixture(scope="module")
def riders():
    made = []
    try:
        for name, backend in ALL.items():
            made.append(Rider(name, backend()))
        yield made
    finally:
        for rider in made:
            rider.clean_up()


@pytest.mark.parametrize("fault", ["refuse", "silent", "lost", "half", "slow", "shift"])
def test_fault(riders, fault):
    side_by_side(riders, lambda rider: rider.suffer(fault))


def test_flapping_each_second(riders):
    def flap(rider):
        def harm():
            end = time.monotonic() + FLAPPING
            while time.monotonic() < end:
                rider.backend.chaos.fault = None if rider.backend.chaos.fault else "refuse"
                time.sleep(1)
            rider.backend.chaos.fault = None

        rider.ride(harm, "flapping each second")

    side_by_side(riders, flap)


def test_nothing_was_lost_in_all_that(riders):
    side_by_side(riders, lambda rider: rider.assert_nothing_is_lost())
