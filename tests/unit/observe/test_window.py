"""Rates look one second back, percentiles two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.observe.histogram import Histogram
from workbench.observe.window import PERCENTILE_BEATS, RATE_BEATS, Window

MS = 1_000_000
beats = st.lists(st.lists(st.integers(1, 10**10), max_size=5), min_size=1, max_size=12)


def after(*beats):
    """A window after beats of so many milliseconds each."""
    window = Window()
    for durations_ms in beats:
        window.add(Histogram([each * MS for each in durations_ms]).buckets, 0)
        window.turn()
    return window


def test_rates_are_of_the_last_second():
    window = after([1] * 10, [1] * 4)

    assert window.rates(1.0) == (14, 0)
    window.turn()
    assert window.rates(1.0) == (4, 0)
    window.turn()
    assert window.rates(1.0) == (0, 0)


def test_failures_have_a_rate_of_their_own():
    window = Window()
    window.add(Histogram([1, 2, 3]).buckets, 2)
    window.turn()

    assert window.rates(0.5) == (6, 4)


def test_percentiles_are_of_the_last_two_seconds():
    window = after([100], [], [])

    assert window.percentiles_ms(0.5) == [pytest.approx(100, rel=0.01)]
    window.turn()
    assert window.percentiles_ms(0.5) == [pytest.approx(100, rel=0.01)]
    window.turn()
    assert window.percentiles_ms(0.5, 0.99) == [None, None]


def test_what_comes_in_a_beat_counts_once_the_beat_is_over():
    window = Window()
    window.add(Histogram([MS]).buckets, 0)

    assert window.rates(1.0) == (0, 0)
    assert window.percentiles_ms(0.5) == [None]


@given(beats)
def test_it_shows_the_same_as_counting_the_last_beats_anew(beats):
    window = Window()
    for durations in beats:
        window.add(Histogram(durations).buckets, 0)
        window.turn()

    fresh = Histogram([each for beat in beats[-PERCENTILE_BEATS:] for each in beat])
    expected = fresh.percentiles(0.5, 0.99)
    assert window.rates(1.0)[0] == sum(map(len, beats[-RATE_BEATS:]))
    assert window.percentiles_ms(0.5, 0.99) == (
        [round(each / MS, 4) for each in expected] if expected else [None, None]
    )
