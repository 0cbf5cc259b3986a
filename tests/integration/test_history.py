# SPDX-License-Identifier: Apache-2.0
"""The checker of histories itself: it finds what is not as promised."""
import pytest

from harness.history import Event, History

ALIVE, OVER = 1, 2


def stored(host, client, over, value):
    return Event(host, client, ALIVE, "store", over - 0.1, over, {"@version": value, f"w{client}": value})


def read(host, client, began, session=ALIVE, **fields):
    return Event(host, client, session, "read", began, began + 0.1, {f"@{name}" if name == "version" else name: value
                                                                      for name, value in fields.items()})


def ended(over):
    return Event(0, -1, OVER, "end", over - 0.1, over, 1)


def test_what_is_as_promised():
    history = History([stored(0, 0, 1.0, 1), read(1, 2, 1.5, n=0), read(1, 2, 2.5, w0=1), stored(0, 0, 3.0, 2),
                       read(1, 2, 3.5, w0=1), read(0, 1, 3.5, w0=2), ended(5.0), read(1, 2, 5.5, OVER, n=1), read(1, 2, 6.5, OVER)])
    history.check_reads_never_go_back()
    history.check_nobody_is_logged_out([ALIVE])
    assert history.check_changes_are_seen(1.0) == 2
    assert history.check_end_is_the_end(1.0) == 1


@pytest.mark.parametrize("late", [read(1, 2, 2.5, n=1), read(1, 2, 2.5, w0=1), read(0, 1, 2.1, w0=1)],
                         ids=["never seen", "an older one", "on its own host"])
def test_change_that_is_seen_late(late):
    history = History([stored(0, 0, 1.0, 1), stored(0, 0, 2.0, 2), late])
    with pytest.raises(AssertionError, match="has stored w0"):
        history.check_changes_are_seen(0.4)


def test_change_that_was_only_acknowledged_binds_its_own_host():
    written = Event(0, 0, ALIVE, "write", 0.9, 1.0, {"@version": 1, "w0": 1})
    assert History([written, read(1, 2, 9.0, n=1)]).check_changes_are_seen(1.0) == 0
    with pytest.raises(AssertionError, match="has stored w0"):
        History([written, read(0, 1, 1.1, n=1)]).check_changes_are_seen(1.0)


@pytest.mark.parametrize("late", [read(1, 2, 6.5, OVER, n=1), read(0, 1, 5.1, OVER, n=1)], ids=["elsewhere", "on its own host"])
def test_end_that_is_heard_of_late(late):
    with pytest.raises(AssertionError, match="after its end"):
        History([ended(5.0), late]).check_end_is_the_end(1.0)


def test_what_comes_back_after_its_end():
    with pytest.raises(AssertionError, match="came back"):
        History([ended(5.0), read(1, 2, 5.1, OVER), read(1, 2, 5.2, OVER, n=1)]).check_end_is_the_end(1.0)


@pytest.mark.parametrize("name", ["n", "version", "w0"])
def test_read_that_goes_back(name):
    with pytest.raises(AssertionError, match="2, then 1"):
        History([read(1, 2, 1.0, **{name: 2}), read(1, 2, 2.0, **{name: 1})]).check_reads_never_go_back()


def test_logout_of_somebody_who_did_not():
    with pytest.raises(AssertionError, match="session 1 on host 1"):
        History([read(1, 2, 1.0)]).check_nobody_is_logged_out([ALIVE])
