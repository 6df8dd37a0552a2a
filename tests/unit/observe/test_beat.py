"""Processes speak once in each beat, always before the controller counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.observe.beat import BEAT_S, COUNTING_PLACE, LAST_PLACE, until

places = st.floats(0, LAST_PLACE)
nows = st.floats(1e9, 2e9)


@given(places, nows)
def test_the_next_moment_is_at_the_place_and_within_little_more_than_a_beat(place, now):
    wait = until(place, now)

    assert 0 < wait <= 1.1 * BEAT_S
    ahead = ((now + wait) / BEAT_S - place + 0.5) % 1 - 0.5
    assert ahead == pytest.approx(0, abs=1e-5)


@given(places, nows, st.floats(-0.01, 0.08))
def test_between_two_countings_each_process_speaks_once(place, now, late):
    speaks = now + until(place, now) + late
    counted = now + until(place, now) + until(COUNTING_PLACE, now + until(place, now))

    assert 0 < counted - speaks < BEAT_S
    assert counted - BEAT_S < speaks
    assert speaks + until(place, speaks) > counted


def test_a_timer_that_ends_early_makes_no_second_beat():
    assert until(0.0, 10 * BEAT_S - 0.01) == pytest.approx(BEAT_S + 0.01)
