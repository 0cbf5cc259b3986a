# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, each with a deadline; no test sleeps for a guessed time."""
import time

PAUSE = 0.01  # seconds between two looks


def wait_until(condition, what, seconds=10.0, pause=PAUSE):
    """Returns the first true answer of `condition`; fails with `what` when the deadline passes."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}")
        time.sleep(pause)


def wait_for_clock(wall_time, seconds=10.0):
    """Until the wall clock shows `wall_time`: for what expires at a known instant."""
    wait_until(lambda: time.time() >= wall_time, f"the clock to show {wall_time}", seconds)
