"""What is recorded is taken once, whole, however much it is."""

from hypothesis import given
from hypothesis import strategies as st

from workbench.observe.histogram import Histogram
from workbench.observe.recorder import Recorder, Recorders


@given(st.lists(st.integers(0, 10**12), max_size=700), st.integers(0, 5))
def test_all_that_was_added_is_taken(durations, errors):
    recorder = Recorder()
    for duration in durations:
        recorder.add(duration)
    for _ in range(errors):
        recorder.add_error()

    assert recorder.take() == (Histogram(durations).buckets, errors)
    assert recorder.take() == ({}, 0)


def test_each_name_has_its_own_and_is_forgotten_when_it_has_nothing():
    recorders = Recorders()
    recorders["busy"].add(100)
    recorders["failing"].add_error()
    _ = recorders["idle"]

    taken = recorders.take()

    assert taken == {"busy": (Histogram([100]).buckets, 0), "failing": ({}, 1)}
    assert list(recorders) == ["busy", "failing"]
    assert recorders.take() == {}
    assert not recorders
