"""Who is asked when, and what a controller that starts again makes of what it sees."""

from dataclasses import replace

import pytest

from workbench.controller.autoscaler import Autoscaler
from workbench.controller.scaler import Autoscaled, Scaler
from workbench.controller.signals import Signal
from workbench.spec.autoscaling import AutoscalingConfig, AutoscalingPolicy
from workbench.wire.messages import Wake

BEAT_S = 0.5
QUICK = AutoscalingConfig(
    max_replicas=10,
    look_back_period_s=1.0,
    upscale_delay_s=0.0,
    downscale_delay_s=1.0,
)
BUSY = Signal(in_flight=8)


class FakePlant:
    """Deployments that have at once as many replicas as they should."""

    def __init__(self, **wanted):
        self.deployments = {
            f"app#{name}": Autoscaled(
                app="app", deployment=name, config=QUICK, wanted=number
            )
            for name, number in wanted.items()
        }

    def autoscaled(self):
        return list(self.deployments.values())

    def rescale(self, app, deployment, wanted):
        key = f"{app}#{deployment}"
        running = tuple(map(str, range(wanted)))
        self.deployments[key] = replace(
            self.deployments[key], wanted=wanted, running=running
        )

    def wanted(self, name):
        return self.deployments[f"app#{name}"].wanted


class Controller:
    """An autoscaler on its beat, for as long as the process of a controller lives."""

    def __init__(self, plant, now=1000.0):
        self.notes: list[tuple[object, ...]] = []
        self.autoscaler = Autoscaler(
            plant, lambda _: b"", lambda *note: self.notes.append(note)
        )
        self.now = now

    def beat(self, count=1, **signals):
        for _ in range(count):
            self.now += BEAT_S
            told = {f"app#{name}": signal for name, signal in signals.items()}
            self.autoscaler.tick(self.now, told)


def test_a_controller_that_starts_again_does_not_take_silence_for_no_calls():
    plant = FakePlant(busy=1)
    before = Controller(plant)
    before.beat(20, busy=BUSY)
    assert plant.wanted("busy") == 4

    # Routers come back one after the other; until then nothing is heard of calls.
    after = Controller(plant, before.now + 1.5)
    after.beat(5)
    after.beat(20, busy=BUSY)

    assert plant.wanted("busy") == 4
    rules = {str(each.rule) for each in after.autoscaler.explain("app")}
    assert rules <= {"fits", "waits to shrink"}


def test_once_all_have_told_a_decline_counts_again():
    plant = FakePlant(idle=4)

    Controller(plant).beat(20)

    assert plant.wanted("idle") == 1


def test_more_load_is_met_at_once_also_by_a_controller_that_has_just_started():
    plant = FakePlant(busy=2)

    Controller(plant).beat(4, busy=BUSY)

    assert plant.wanted("busy") == 4


def test_a_call_for_nothing_that_runs_wakes_without_a_beat():
    plant = FakePlant(asleep=0, other=0)

    Controller(plant).autoscaler.wake("router", Wake("app#asleep"))

    assert (plant.wanted("asleep"), plant.wanted("other")) == (1, 0)


def test_a_policy_of_ours_that_fails_leaves_the_others_alone():
    plant = FakePlant(wrong=1, busy=1)
    times = [{"from": "8 o'clock", "to": "18:00", "replicas": 2}]
    policy = AutoscalingPolicy(
        policy_function="schedule", policy_kwargs={"times": times}
    )
    wrong = plant.deployments["app#wrong"]
    plant.deployments["app#wrong"] = replace(
        wrong, config=replace(QUICK, policy=policy)
    )
    controller = Controller(plant)

    controller.beat(10, wrong=BUSY, busy=BUSY)

    assert (plant.wanted("wrong"), plant.wanted("busy")) == (1, 4)
    reason = controller.autoscaler.reasons()["app", "wrong"]
    assert 'A time of day is written 08:00; got "8 o\'clock"' in reason
    # Each failure stands in its log once, however often it happens.
    assert len(controller.notes) == 1


@pytest.mark.parametrize("number", [0, 12])
def test_outside_its_bounds_it_comes_back_into_them(number):
    plant = FakePlant(busy=number)
    config = replace(QUICK, min_replicas=2, max_replicas=3)
    it = plant.deployments["app#busy"]
    plant.deployments["app#busy"] = replace(it, config=config)

    Controller(plant).beat(20, busy=BUSY)

    assert plant.wanted("busy") == 3


def test_a_share_of_the_bounds_bounds_and_nothing_wakes_what_has_none():
    plant = FakePlant(half=1, nothing=0)
    for name, percent in (("half", 20), ("nothing", 0)):
        it = plant.deployments[f"app#{name}"]
        plant.deployments[f"app#{name}"] = replace(it, capacity=percent)
    controller = Controller(plant)

    controller.beat(20, half=BUSY, nothing=BUSY)
    controller.autoscaler.wake("router", Wake("app#nothing"))

    assert (plant.wanted("half"), plant.wanted("nothing")) == (2, 0)
    told = {each.deployment: each.why for each in controller.autoscaler.explain("app")}
    assert told == {
        "half": "more are wanted, but max_replicas is 2 at this target_capacity",
        "nothing": "target_capacity is 0",
    }


def test_a_policy_is_shown_what_replicas_say_of_themselves():
    scaler = Scaler()
    it = Autoscaled(app="app", deployment="d", config=QUICK, wanted=2)
    told = [
        {"r1": {"depth": 1.0}, "gone": {"depth": 9.0}},
        {"r1": {"depth": 3.0}, "r2": {"depth": 5.0}},
    ]
    for beat, each in enumerate(told):
        scaler.see(it, Signal(stats=each), beat * BEAT_S)

    context = scaler.context(it, BEAT_S)

    assert context.aggregated_metrics == {"depth": {"r1": 2.0, "r2": 5.0}}
    assert context.raw_metrics["depth"]["r1"] == [(0.0, 1.0), (BEAT_S, 3.0)]

    scaler.see(it, Signal(), 2 * BEAT_S)
    assert scaler.context(it, 2 * BEAT_S).aggregated_metrics == {}
