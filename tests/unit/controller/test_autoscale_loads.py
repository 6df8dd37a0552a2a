"""Autoscaling on the pure core, under loads given in requests a second.

A step, a spike, a sine and the trace of a day: the number does not flap, what is needed
comes in time, and no more runs than must. `tests.bench.autoscaling` draws them.
"""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from tests.unit.controller.simulated import BEAT_S, LOADS, START_S, simulate
from workbench.spec.autoscaling import AutoscalingConfig, AutoscalingPolicy, ScalingRule

CONFIG = AutoscalingConfig(
    max_replicas=20,
    look_back_period_s=10.0,
    upscale_delay_s=3.0,
    downscale_delay_s=60.0,
)


def course(load, config="as usual"):
    return _course(load, config)


@cache
def _course(load, config):
    chosen = AutoscalingConfig(max_replicas=20) if config == "defaults" else CONFIG
    return simulate(chosen, LOADS[load])


def turns_of(load):
    """How often a load itself turns, seen from afar."""
    return {"step": 1, "spike": 1, "sine": 8, "day": 8}[load]


@pytest.mark.parametrize("config", ["as usual", "defaults"])
@pytest.mark.parametrize("load", LOADS)
def test_it_turns_no_more_often_than_the_load(load, config):
    assert course(load, config).turns <= turns_of(load)


@pytest.mark.parametrize("load", LOADS)
def test_what_is_needed_all_the_time_is_there_in_time(load):
    longest_s = CONFIG.look_back_period_s + CONFIG.upscale_delay_s + START_S

    assert course(load).lag_s <= longest_s + BEAT_S
    assert course(load).under <= 0.15


@pytest.mark.parametrize("load", LOADS)
def test_with_ray_serves_numbers_it_is_late_by_the_delay_and_little_more(load):
    assert course(load, "defaults").lag_s <= 30.0 + START_S + 4 * BEAT_S


@pytest.mark.parametrize("load", ["step", "sine", "day"])
def test_no_more_runs_than_the_delay_asks_for(load):
    """A spike's replicas stay for the delay, whatever their part of so little is."""
    assert course(load).over <= 1.0


def test_after_a_spike_all_of_it_goes_when_its_time_is_over():
    found = course("spike")
    end_s = 70.0

    gone = found.wanted.index(2, round(end_s / BEAT_S)) * BEAT_S

    late_s = CONFIG.downscale_delay_s + CONFIG.look_back_period_s
    assert gone <= end_s + 2 * late_s
    assert max(found.wanted) <= 20


@pytest.mark.parametrize("load", LOADS)
def test_no_call_waits_longer_than_it_takes_to_grow(load):
    longest_s = CONFIG.upscale_delay_s + START_S + 2 * BEAT_S

    assert max(course(load).oldest_s) <= longest_s


def test_a_decline_is_not_regretted_at_once():
    assert course("day").quickest_turn_s >= CONFIG.look_back_period_s


def test_every_change_is_told_with_its_rule_and_reason():
    found = course("step")

    told = [each for each in found.records if each.before != each.wanted]

    happened = [(a, b) for a, b in pairwise(found.wanted) if a != b]
    assert [(each.before, each.wanted) for each in told] == happened
    assert all(
        each.rule is (ScalingRule.UP if each.wanted > each.before else ScalingRule.DOWN)
        for each in told
    )
    assert all(each.why for each in told)


def with_policy(name, **arguments):
    policy = AutoscalingPolicy(policy_function=name, policy_kwargs=arguments)
    return replace(CONFIG, policy=policy)


def test_a_latency_target_is_met_and_what_missed_it_is_not_tried_in_turns():
    """A replica answers 25 calls a second: four are too few for 100, five do."""
    found = simulate(with_policy("latency", target_ms=400), LOADS["step"])

    assert found.turns <= 1
    assert min(found.wanted[-240:]) >= 5
    assert max(found.oldest_s[-240:]) == 0.0


def test_a_latency_target_that_is_met_lets_go_one_by_one():
    config = replace(with_policy("latency", target_ms=400), initial_replicas=6)

    found = simulate(config, [20.0] * 900)

    steps = [a - b for a, b in pairwise(found.wanted) if a != b]
    assert set(steps) == {1}
    assert found.wanted[-1] == 1


def test_a_timetable_is_kept_and_load_may_ask_for_more():
    # The simulation begins with the epoch: on a Thursday at midnight.
    times = [{"from": "00:01", "to": "00:02", "replicas": 7, "days": "thu"}]
    config = replace(
        with_policy("schedule", times=times), upscale_delay_s=0.0, downscale_delay_s=5.0
    )

    found = simulate(config, [10.0] * 90 + [100.0] * 10 + [10.0] * 80)

    planned = slice(round(60 / BEAT_S), round(120 / BEAT_S))
    assert set(found.wanted[: planned.start]) == {1}
    assert min(found.wanted[planned]) == 7
    assert max(found.wanted[planned]) >= 10
    assert found.wanted[-1] == 1
