"""Users' autoscaling policies in processes of their own: limits, ends, neighbours."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.code.policies import ship_policy
from workbench.controller.autoscaler import Autoscaler
from workbench.controller.policy_process import PolicyProcess
from workbench.controller.scaler import Autoscaled
from workbench.controller.signals import Signal
from workbench.errors import PolicyError
from workbench.spec.autoscaling import (
    AutoscalingConfig,
    AutoscalingPolicy,
)
from workbench.spec.autoscaling_context import AutoscalingContext, DeploymentID

pytestmark = [pytest.mark.ray, pytest.mark.anyio, pytest.mark.timeout(120)]

PATIENCE_S = 60
QUICK = AutoscalingConfig(max_replicas=9, look_back_period_s=1.0, upscale_delay_s=0.0)


def context(**changes):
    return AutoscalingContext(
        deployment_id=DeploymentID("d", "app"),
        deployment_name="d",
        app_name="app",
        config=QUICK,
        current_num_replicas=1,
        target_num_replicas=1,
        **changes,
    )


@pytest.fixture
def started():
    """Makes a policy's process, which ends with the test."""
    made = []

    def start(function, **arguments):
        policy = AutoscalingPolicy(policy_function=function, policy_kwargs=arguments)
        shipped, code = ship_policy(policy, Path.cwd())
        made.append(PolicyProcess(shipped, code, limit_s=1.0))
        return made[-1]

    yield start
    for each in made:
        each.end()


def hangs_when_asked_to(ctx):
    import threading

    if ctx.total_num_requests > 100:
        threading.Event().wait()
    return 3, {}


async def test_one_that_hangs_is_ended_in_time_and_begins_anew(started):
    process = started(hangs_when_asked_to)
    assert await process.ask([context()]) == {"app#d": 3}

    with pytest.raises(PolicyError, match="longer than 1 s"):
        await process.ask([context(total_num_requests=101.0)])

    assert await process.ask([context()]) == {"app#d": 3}


def ends_its_process(ctx):
    import os

    os._exit(1)


def says_nothing(ctx):
    return None


def prints_and_answers(ctx, number):
    sys.stdout.write("a policy may print\n")
    return number


async def test_how_one_fails_is_said_and_what_it_prints_is_no_answer(started):
    with pytest.raises(PolicyError, match="ended before it answered"):
        await started(ends_its_process).ask([context()])
    with pytest.raises(PolicyError, match="A policy returns"):
        await started(says_nothing).ask([context()])
    talker = started(prints_and_answers, number=2.5)
    assert await talker.ask([context()]) == {"app#d": 2.5}


class FakePlant:
    """Two applications; the policy of one, or of its deployment, hangs."""

    def __init__(self, policy, *, is_for_all):
        config = QUICK if is_for_all else replace(QUICK, policy=policy)
        self.deployments = [
            Autoscaled(
                app="a",
                deployment="hangs",
                config=config,
                wanted=1,
                app_policy=policy if is_for_all else None,
            ),
            Autoscaled(app="b", deployment="other", config=QUICK, wanted=1),
        ]

    def autoscaled(self):
        return self.deployments

    def rescale(self, app, deployment, wanted):
        self.deployments = [
            replace(each, wanted=wanted) if each.deployment == deployment else each
            for each in self.deployments
        ]


def hangs(shown):
    import threading

    threading.Event().wait()


@pytest.mark.parametrize("is_for_all", [False, True])
async def test_while_one_hangs_the_others_are_scaled(is_for_all):
    policy, code = ship_policy(AutoscalingPolicy(policy_function=hangs), Path.cwd())
    plant = FakePlant(policy, is_for_all=is_for_all)
    autoscaler = Autoscaler(plant, lambda _: code, lambda *_: None)
    busy = {"a#hangs": Signal(in_flight=12), "b#other": Signal(in_flight=12)}
    try:
        async with asyncio.timeout(PATIENCE_S):
            for beat in range(20):
                autoscaler.tick(beat / 2, busy)
                await asyncio.sleep(0)

        assert [each.wanted for each in plant.deployments] == [1, 6]
    finally:
        autoscaler.close()
