"""What processes say becomes a sample of everything there is, and of nothing else."""

import pytest

from tests.unit.controller.world import deployed, make_spec, running
from workbench.controller.measured import (
    HISTORY_SAMPLES,
    Measurements,
    Population,
    population_of,
)
from workbench.observe.histogram import Histogram
from workbench.spec.metrics import ApplicationSample, DeploymentSample
from workbench.wire.messages import Ended, Measured, ReplicaMeasured

MS = 1_000_000
KEY = "app#Model"
POPULATION = Population(
    applications=frozenset({"app"}),
    targets={KEY: 2},
    serving={KEY: 2},
    replicas={"r1": KEY, "r2": KEY},
)


class Clock:
    """Beats of half a second."""

    def __init__(self, measurements, there_is=POPULATION):
        self.measurements = measurements
        self.there_is = there_is
        self.now_s = 1000.0

    def turn(self, late_s=0.0):
        self.now_s += 0.5 + late_s
        self.measurements.turn(self.now_s, self.there_is)
        return self.measurements.latest(self.there_is)


@pytest.fixture
def measurements():
    return Measurements()


@pytest.fixture
def clock(measurements):
    return Clock(measurements)


def ended(*durations_ms, errors=0):
    return Ended(dict(Histogram([each * MS for each in durations_ms]).buckets), errors)


def replica(name="r1", calls=None, *, ongoing=0, cpu=0.0, memory=0, key=KEY):
    state = ReplicaMeasured(name, key, calls or ended(), ongoing, cpu, memory)
    return Measured({}, {}, state)


def proxy(calls=None, queued=None):
    return Measured(queued or {}, {"app": calls} if calls else {}, None)


def near(value):
    return pytest.approx(value, rel=0.0101)


def test_without_traffic_everything_is_there_and_zero(clock):
    sample = clock.turn()

    assert sample.applications == {"app": ApplicationSample()}
    assert sample.deployments == {KEY: DeploymentSample(replicas=2, target=2)}
    assert sample.replicas == {}


def test_an_application_is_as_its_proxies_see_it(measurements, clock):
    measurements.take("proxy-1", proxy(ended(10, 10, 10, errors=1)))
    measurements.take("proxy-2", proxy(ended(1000)))

    found = clock.turn().applications["app"]

    assert (found.requests_per_s, found.errors_per_s) == (4.0, 1.0)
    assert found.p50_ms == near(10)


def test_a_deployment_is_the_sum_of_its_replicas(measurements, clock):
    measurements.take("a", replica("r1", ended(*[20] * 97), ongoing=2))
    measurements.take("b", replica("r2", ended(*[300] * 3, errors=2), ongoing=1))

    found = clock.turn().deployments[KEY]

    assert (found.requests_per_s, found.errors_per_s) == (100.0, 2.0)
    assert (found.p50_ms, found.p99_ms) == (near(20), near(300))
    assert found.ongoing == 3


def test_each_replica_is_told_apart(measurements, clock):
    measurements.take("a", replica("r1", ended(5), cpu=0.5, memory=10, ongoing=1))
    measurements.take("b", replica("r2", ended(70, 70)))

    found = clock.turn().replicas

    assert (found["r1"].p99_ms, found["r2"].p99_ms) == (near(5), near(70))
    assert (found["r1"].requests_per_s, found["r2"].requests_per_s) == (1.0, 2.0)
    assert (found["r1"].cpu_cores, found["r1"].memory_bytes) == (0.5, 10)
    assert found["r1"].ongoing == 1
    assert found["r1"].deployment == KEY


def test_waiting_calls_are_summed_over_routers_until_they_wait_no_more(
    measurements, clock
):
    measurements.take("proxy", proxy(queued={KEY: 3}))
    measurements.take("client", proxy(queued={KEY: 4, "gone#D": 9}))
    assert clock.turn().deployments[KEY].queued == 7

    measurements.take("proxy", proxy())

    assert clock.turn().deployments[KEY].queued == 4
    measurements.forget("client")
    assert clock.turn().deployments[KEY].queued == 0


def test_what_is_not_said_anew_still_holds(measurements, clock):
    measurements.take("a", replica("r1", ongoing=1, memory=7))
    clock.turn()
    measurements.take("a", proxy(queued={KEY: 1}))

    sample = clock.turn()

    assert sample.deployments[KEY].ongoing == 1
    assert sample.replicas["r1"].memory_bytes == 7


def test_a_replica_whose_process_is_gone_runs_nothing_but_has_run(measurements, clock):
    measurements.take("a", replica("r1", ended(20), ongoing=5))
    measurements.forget("a")

    sample = clock.turn()

    assert sample.replicas == {}
    assert sample.deployments[KEY].ongoing == 0
    assert sample.deployments[KEY].requests_per_s == 1.0


def test_after_two_seconds_nothing_is_left(measurements, clock):
    measurements.take("a", replica("r1", ended(20)))
    measurements.take("proxy", proxy(ended(20)))
    seen = [clock.turn() for _ in range(5)]

    assert [each.applications["app"].requests_per_s for each in seen] == [1, 1, 0, 0, 0]
    assert [each.deployments[KEY].p50_ms is None for each in seen] == [False] * 4 + [
        True
    ]


def test_a_beat_that_was_held_up_shows_no_burst(measurements, clock):
    clock.turn()
    clock.turn()
    for _ in range(5):  # what came in two and a half seconds, at 10 a second
        measurements.take("proxy", proxy(ended(*[1] * 5)))

    rate = clock.turn(late_s=2.0).applications["app"].requests_per_s

    assert rate == pytest.approx(25 / 3, abs=0.01)


def test_beats_a_little_off_make_no_noise(measurements, clock):
    rates = []
    for late_s in (0.0, 0.03, -0.03, 0.04, -0.02):
        measurements.take("proxy", proxy(ended(*[1] * 10)))
        rates.append(clock.turn(late_s).applications["app"].requests_per_s)

    assert rates[1:] == [20.0] * 4


def test_what_is_gone_is_forgotten(measurements, clock):
    measurements.take("a", replica("r1", ended(20), ongoing=1))
    measurements.take("proxy", proxy(ended(20), {KEY: 1}))
    clock.turn()
    clock.there_is = Population()

    sample = clock.turn()

    assert (sample.applications, sample.deployments, sample.replicas) == ({}, {}, {})
    clock.there_is = POPULATION
    assert clock.turn().deployments[KEY].requests_per_s == 0.0


def test_history_keeps_the_last_minutes_without_replicas(measurements, clock):
    measurements.take("a", replica("r1", ended(20)))
    for _ in range(HISTORY_SAMPLES + 10):
        clock.turn()

    history = measurements.history

    assert len(history) == HISTORY_SAMPLES
    assert (history[-1].at_s - history[0].at_s) == (HISTORY_SAMPLES - 1) / 2
    assert not any(sample.replicas for sample in history)


def test_a_population_is_what_should_run_and_what_does():
    spec = make_spec(num_replicas=3)
    replicas = [running(spec, 1), running(spec, 2)]

    found = population_of(deployed(spec), replicas)

    assert found.applications == {"default"}
    assert found.targets == {"default#Model": 3}
    assert found.serving == {"default#Model": 2}
    assert set(found.replicas.values()) == {"default#Model"}
    assert len(found.replicas) == 2


def test_what_replicas_say_for_autoscaling_goes_with_them(measurements, clock):
    state = ReplicaMeasured("r1", KEY, ended(), 0, 0.0, 0, {"depth": 2.0})
    measurements.take("r1", Measured({}, {}, state))
    clock.turn()
    assert measurements.signals()[KEY].stats == {"r1": {"depth": 2.0}}

    measurements.forget("r1")
    clock.turn()
    assert measurements.signals()[KEY].stats == {}
