"""How long a call has waited for its batches."""

from workbench.stopwatch import Stopwatch


def test_waits_are_added_up():
    watch = Stopwatch()
    watch.begin(1.0)
    watch.end(1.5)
    watch.begin(3.0)
    watch.end(3.25)
    assert watch.waited_ns() == 750_000_000


def test_waits_at_the_same_time_count_once():
    watch = Stopwatch()
    watch.begin(1.0)
    watch.begin(2.0)
    watch.end(2.5)
    watch.end(4.0)
    assert watch.waited_ns() == 3_000_000_000


def test_a_wait_that_goes_on_does_not_count_yet():
    watch = Stopwatch()
    watch.begin(1.0)
    assert watch.waited_ns() == 0
