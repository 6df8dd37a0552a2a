"""A deployment that keeps failing burns ever less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.controller.failures import Failures

KEY = ("app", "Model")


def test_the_first_failure_is_tried_again_at_once():
    failures = Failures()
    failures.add(KEY, 10.0)

    assert (failures.retry_at(), failures.until_retry(10.0, 10.0)) == ({}, None)


def test_pauses_grow_to_a_limit():
    failures = Failures()
    pauses = []
    for _ in range(14):
        failures.add(KEY, 10.0)
        pauses.append(failures.until_retry(10.0, 10.0))

    assert pauses[:5] == [None, 0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == 300.0


def test_a_retry_whose_time_came_while_it_was_planned_is_not_missed():
    failures = Failures()
    failures.add(KEY, 10.0)
    failures.add(KEY, 10.0)

    assert failures.until_retry(10.6, planned=10.49) == 0.0
    assert failures.until_retry(10.6, planned=10.5) is None


def test_a_minute_of_good_service_forgets():
    failures = Failures()
    failures.add(KEY, 10.0)
    failures.recovered(KEY[0], 15.0)
    failures.add(KEY, 80.0)

    assert failures.retry_at() == {}


@pytest.mark.parametrize(("served_s", "longest_s"), [(1, 300.0), (5, 1.0), (20, 0.5)])
def test_who_serves_well_between_failures_does_not_wait_ever_longer(
    served_s, longest_s
):
    failures, now, pauses = Failures(), 0.0, []
    for _ in range(50):
        failures.add(KEY, now)
        pauses.append(failures.until_retry(now, now) or 0.0)
        failures.recovered(KEY[0], now + pauses[-1] + 3.0)
        now += pauses[-1] + 3.0 + served_s

    assert max(pauses) <= longest_s
    assert longest_s < 300.0 or pauses[-1] == longest_s


def test_a_minute_that_a_constructor_took_does_not():
    """What fails slowly again and again is no better than what fails at once."""
    failures = Failures()
    for at in range(0, 1000, 100):
        failures.add(KEY, float(at))

    assert failures.retry_at()[KEY] - 900.0 == 128.0


def test_who_fails_often_says_how_it_goes_on():
    failures = Failures()
    for _ in range(4):
        failures.add(KEY, 10.0, "no room")

    assert failures.reasons()[KEY] == (
        "no room\nIt has failed 4 times in a row and is tried again 2 s after each "
        "failure, ever more rarely; deploy it again to try at once."
    )


@given(st.lists(st.floats(0, 1000), min_size=2))
def test_a_retry_is_never_before_the_last_failure(times):
    failures = Failures()
    for at in sorted(times):
        failures.add(KEY, at)

    assert all(at > max(times) for at in failures.retry_at().values())


def test_the_last_reason_is_known_until_the_application_has_recovered():
    failures = Failures()
    failures.add(KEY, 10.0, "no room")
    failures.add(KEY, 11.0, "still no room")

    assert failures.reasons() == {KEY: "still no room"}
    assert failures.has_reason(KEY[0])
    failures.recovered(KEY[0], 12.0)
    assert (failures.reasons(), failures.has_reason(KEY[0])) == ({}, False)
    assert failures.retry_at()
