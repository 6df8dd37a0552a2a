"""Autoscaling: bounds, the default policy, zero, and policies of one's own."""

import asyncio

import pytest

from tests.callers import load
from tests.conformance import policies

behaviour = pytest.mark.behaviour
differs = pytest.mark.differs

QUICK = {
    "look_back_period_s": 1.0,
    "metrics_interval_s": 0.5,
    "upscale_delay_s": 0.0,
    "downscale_delay_s": 1.0,
}
NEVER_DOWN = {**QUICK, "downscale_delay_s": 600.0}


def make_slow(serve, **scaling):
    @serve.deployment(
        autoscaling_config={**QUICK, **scaling}, ray_actor_options={"num_cpus": 0.1}
    )
    class Slow:
        async def __call__(self, request=None):
            await asyncio.sleep(0.2)
            return "done"

    return Slow


@pytest.fixture
def running(serve, name):
    """How many replicas run."""

    def count():
        (found,) = serve.status().applications[name].deployments.values()
        return found.replica_states.get("RUNNING", 0)

    return count


@behaviour("§8", "AutoscalingConfig: its fields and what they are if not given")
def test_defaults(part):
    config = part("config").AutoscalingConfig()

    assert {
        "min_replicas": config.min_replicas,
        "initial_replicas": config.initial_replicas,
        "max_replicas": config.max_replicas,
        "target_ongoing_requests": config.target_ongoing_requests,
        "look_back_period_s": config.look_back_period_s,
        "upscale_delay_s": config.upscale_delay_s,
        "downscale_delay_s": config.downscale_delay_s,
        "downscale_to_zero_delay_s": config.downscale_to_zero_delay_s,
        "upscaling_factor": config.upscaling_factor,
        "downscaling_factor": config.downscaling_factor,
    } == {
        "min_replicas": 1,
        "initial_replicas": None,
        "max_replicas": 1,
        "target_ongoing_requests": 2,
        "look_back_period_s": 30,
        "upscale_delay_s": 30,
        "downscale_delay_s": 600,
        "downscale_to_zero_delay_s": None,
        "upscaling_factor": None,
        "downscaling_factor": None,
    }
    assert config.aggregation_function == "mean"


@behaviour("§8", "bounds that cannot be are refused")
@pytest.mark.parametrize(
    "given",
    [
        {"min_replicas": 3, "max_replicas": 2},
        {"max_replicas": 0},
        {"min_replicas": -1},
        {"initial_replicas": 5, "max_replicas": 4},
        {"min_replicas": 2, "initial_replicas": 1, "max_replicas": 4},
        {"target_ongoing_requests": 0},
        {"upscale_delay_s": -1},
        {"aggregation_function": "median"},
    ],
    ids=str,
)
def test_limits(part, given):
    with pytest.raises(ValueError):
        part("config").AutoscalingConfig(**given)


@behaviour("§8", 'num_replicas="auto", and not both a number and autoscaling')
def test_auto(serve, run, running):
    @serve.deployment(num_replicas="auto")
    class Auto:
        def __call__(self):
            return "here"

    assert run(Auto.bind()).remote().result(timeout_s=60) == "here"
    assert running() == 1
    with pytest.raises(ValueError):
        serve.deployment(num_replicas=2, autoscaling_config={"max_replicas": 4})(Auto)


@behaviour("§8", "a first deploy has initial_replicas, a later one what there are")
@differs("a changed deploy that gives initial_replicas begins with these again")
def test_initial(serve, run, running, eventually):
    run(make_slow(serve, **NEVER_DOWN, initial_replicas=2, max_replicas=4).bind())
    assert eventually(lambda: running() == 2)

    run(make_slow(serve, **NEVER_DOWN, initial_replicas=1, max_replicas=3).bind())
    assert eventually(lambda: running() == 2)


@behaviour("§8", "load brings replicas, and its end takes them, losing no request")
def test_load(serve, run, url, running, eventually):
    run(make_slow(serve, max_replicas=3).bind())

    with load(url, 6) as statuses:
        assert eventually(lambda: running() == 3)
    assert eventually(lambda: running() == 1)

    assert set(statuses) == {200}


@behaviour("§8", "at zero, the first call wakes a replica and waits for it")
def test_zero(serve, run, url, http, running, eventually):
    handle = run(
        make_slow(
            serve, min_replicas=0, max_replicas=2, downscale_to_zero_delay_s=1.0
        ).bind()
    )
    assert running() == 0

    assert http.get(url).status_code == 200
    assert eventually(lambda: running() == 0)
    assert handle.remote().result(timeout_s=60) == "done"


@behaviour("§8", "a function is a policy: context in, number and state out")
def test_policy_function(serve, part, run, running, eventually):
    policy = part("config").AutoscalingPolicy(policy_function=policies.staircase)
    run(make_slow(serve, max_replicas=4, policy=policy).bind())

    assert eventually(lambda: running() == 2)


@behaviour("§8", "a class is a policy, made once with policy_kwargs")
def test_policy_class(serve, part, run, running, eventually):
    policy = part("config").AutoscalingPolicy(
        policy_function=policies.Fixed, policy_kwargs={"number": 2}
    )
    run(make_slow(serve, max_replicas=4, policy=policy).bind())

    assert eventually(lambda: running() == 2)


@behaviour("§8", "what a policy says stays within the bounds")
def test_policy_bounds(serve, part, run, running, eventually):
    policy = part("config").AutoscalingPolicy(policy_function=policies.far_too_many)
    run(make_slow(serve, max_replicas=2, policy=policy).bind())

    assert eventually(lambda: running() == 2)


@behaviour("§8", "a policy sees what record_autoscaling_stats says")
def test_stats(serve, part, run, running, eventually):
    policy = part("config").AutoscalingPolicy(policy_function=policies.by_depth)

    @serve.deployment(autoscaling_config={**QUICK, "max_replicas": 3, "policy": policy})
    class Queue:
        def __call__(self):
            return "here"

        def record_autoscaling_stats(self):
            return {"depth": 2}

    run(Queue.bind())

    assert eventually(lambda: running() == 2)


@behaviour("§8", "a policy that raises leaves its deployment as it is, and serving")
@differs("nothing that is deployed under such a policy gets ready")
def test_policy_raises(serve, part, run, url, http, running):
    policy = part("config").AutoscalingPolicy(policy_function=policies.broken)
    run(make_slow(serve, max_replicas=3, policy=policy).bind())

    assert http.get(url).status_code == 200
    assert running() == 1
