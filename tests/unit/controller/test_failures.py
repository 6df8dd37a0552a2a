"""A deployment that keeps failing burns ever less."""

from hypothesis import given
from hypothesis import strategies as st

from workbench.controller.failures import Failures

KEY = ("app", "Model")


def test_the_first_failure_is_tried_again_at_once():
    failures = Failures()
    failures.add(KEY, 10.0)

    assert (failures.retry_at(), failures.until_retry(10.0)) == ({}, None)


def test_pauses_grow_to_a_limit():
    failures = Failures()
    pauses = []
    for _ in range(12):
        failures.add(KEY, 10.0)
        pauses.append(failures.until_retry(10.0))

    assert pauses[:5] == [None, 0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == 30.0


def test_a_quiet_minute_forgets():
    failures = Failures()
    failures.add(KEY, 10.0)
    failures.add(KEY, 80.0)

    assert failures.retry_at() == {}


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
    failures.recovered(KEY[0])
    assert (failures.reasons(), failures.has_reason(KEY[0])) == ({}, False)
    assert failures.retry_at()
