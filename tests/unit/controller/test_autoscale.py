"""Autoscaling on the pure core: simulated loads, bounds, delays, no flapping."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.controller.scaler import Autoscaled, Scaler
from workbench.controller.scaling_policies import BUILT_IN
from workbench.controller.signals import Signal
from workbench.spec.autoscaling import AutoscalingConfig, AutoscalingPolicy
from workbench.spec.capacity import bounds_at

BEAT_S = 0.5


def simulate(config, calls, *, start_s=1.0, wanted=None):
    """The numbers wanted beat by beat; `calls` says how many want to run at a time.

    A replica serves so long after it was asked for; one runs at most five calls.
    """
    scaler, it = Scaler(), Autoscaled(app="a", deployment="d", config=config, wanted=0)
    it = replace(it, wanted=config.first if wanted is None else wanted)
    ready = [0.0] * it.wanted
    found, waiting_since = [], None
    for beat, count in enumerate(calls):
        now = beat * BEAT_S
        ready = (ready + [now + start_s] * it.wanted)[: it.wanted]
        running = tuple(str(nth) for nth, at in enumerate(ready) if at <= now)
        room = 5 * len(running)
        waiting_since = (waiting_since or now) if count > room else None
        signal = Signal(
            queued=max(0, count - room),
            in_flight=min(count, room),
            oldest_queued_s=0.0 if waiting_since is None else now - waiting_since,
        )
        it = replace(it, running=running)
        scaler.see(it, signal, now)
        context = scaler.context(it, now)
        proposed, scaler.state = BUILT_IN["default"](context)
        it = replace(it, wanted=scaler.conclude(it, proposed, now))
        found.append(it.wanted)
    return found, scaler


def turns(numbers):
    """How often growth became decline, or the reverse."""
    steps = [b - a for a, b in pairwise(numbers) if a != b]
    return sum((a > 0) != (b > 0) for a, b in pairwise(steps))


QUICK = AutoscalingConfig(
    max_replicas=20,
    look_back_period_s=5.0,
    upscale_delay_s=2.0,
    downscale_delay_s=10.0,
)


@given(count=st.integers(0, 60))
@settings(max_examples=30)
def test_a_step_comes_to_what_is_needed_and_stays_there(count):
    numbers, _ = simulate(QUICK, [0] * 10 + [count] * 150)

    assert numbers[-1] == bounds_at(QUICK, None, is_growing=False).clamp(
        math.ceil(count / 2)
    )
    assert turns(numbers) == 0


@given(calls=st.lists(st.integers(0, 200), max_size=200))
@settings(max_examples=30)
def test_it_stays_within_its_bounds_whatever_comes(calls):
    numbers, _ = simulate(replace(QUICK, min_replicas=2), calls)

    assert all(2 <= each <= 20 for each in numbers)


def test_a_spike_shorter_than_the_delay_changes_nothing():
    numbers, _ = simulate(
        replace(QUICK, look_back_period_s=0.5), [2] * 20 + [30] * 3 + [2] * 60
    )

    assert set(numbers) == {1}


def test_a_lull_shorter_than_the_delay_changes_nothing():
    numbers, _ = simulate(QUICK, [20] * 100 + [0] * 10 + [20] * 60)

    assert set(numbers[50:]) == {10}


def test_a_sine_is_followed_and_turns_only_where_it_does():
    period = 240  # beats: two minutes
    sine = [round(20 + 15 * math.sin(2 * math.pi * n / period)) for n in range(4 * 240)]

    numbers, _ = simulate(QUICK, sine)

    assert max(numbers) >= 17
    assert min(numbers[period:]) <= 4
    assert turns(numbers) <= 8


@given(st.lists(st.integers(-1, 1), min_size=300, max_size=300))
@settings(max_examples=20)
def test_noise_around_a_border_does_not_flap(noise):
    numbers, _ = simulate(QUICK, [20 + each for each in noise])

    assert turns(numbers[40:]) <= 1


def test_from_zero_the_first_call_wakes_at_once_and_the_last_replica_goes_late():
    config = replace(
        QUICK, min_replicas=0, downscale_delay_s=5.0, downscale_to_zero_delay_s=20.0
    )

    numbers, scaler = simulate(config, [0] * 4 + [1] * 10 + [0] * 100)

    assert numbers[:5] == [0, 0, 0, 0, 1]
    gone = numbers.index(0, 5)
    assert (gone - 14) * BEAT_S >= 20.0
    assert [str(each.rule) for each in scaler.records][1] == "woke"


def test_from_more_than_one_it_stops_at_one_before_zero():
    config = replace(QUICK, min_replicas=0, downscale_to_zero_delay_s=60.0)

    numbers, _ = simulate(config, [20] * 60 + [0] * 100)

    assert numbers[-1] == 1


def test_calls_that_wait_too_long_bring_a_replica_the_average_does_not_want():
    config = replace(
        QUICK, target_ongoing_requests=10.0, max_queue_age_s=3.0, max_replicas=5
    )

    numbers, _ = simulate(config, [8] * 400)

    assert numbers[-1] == 2
    assert turns(numbers) == 0


@pytest.mark.parametrize(("factor", "expected"), [(0.5, 3), (2.0, 9)])
def test_a_factor_multiplies_the_change(factor, expected):
    config = replace(QUICK, upscaling_factor=factor, look_back_period_s=0.5)

    numbers, _ = simulate(config, [0] + [10] * 6)

    assert numbers[-1] == expected


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"max_replicas": 0}, "max_replicas at least 1"),
        ({"min_replicas": 3}, "min_replicas ≤"),
        ({"initial_replicas": 9}, "initial_replicas"),
        ({"target_ongoing_requests": 0}, "more than 0"),
        ({"upscale_delay_s": -1}, "0 or more"),
        ({"aggregation_function": "p99"}, "mean, max, min"),
    ],
)
def test_what_cannot_work_is_refused(given, text):
    with pytest.raises(ValueError, match=text):
        AutoscalingConfig(**given)


def test_policies_are_known_by_name_with_their_arguments():
    with pytest.raises(ValueError, match="no autoscaling policy"):
        AutoscalingPolicy(policy_function="fastest")
    with pytest.raises(ValueError, match="no argument 'ms'"):
        AutoscalingPolicy(policy_function="latency", policy_kwargs={"ms": 1})
