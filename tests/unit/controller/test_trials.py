"""A new version is live once it has stood what its deploy asks for."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.unit.controller.world import deployed, make_request, make_spec, running
from workbench.controller.judge import Count
from workbench.controller.target import Target
from workbench.controller.trials import Stage, Trials
from workbench.errors import GateError
from workbench.observe.histogram import Histogram
from workbench.spec.gate import Gate, Guard, Smoke
from workbench.spec.status import ReplicaState

if TYPE_CHECKING:
    from workbench.controller.replica_life import Replica

OLD, NEW = make_spec(code="c1"), make_spec(code="c2")
SMOKE = Gate(smoke=(Smoke(), Smoke(path="/x")))


class Controller:
    """What a trial sees, and what it has said."""

    def __init__(self, gate, *specs, before=(OLD,)):
        request = replace(make_request(*(specs or (NEW,))), gate=gate)
        target = deployed(*before).settle("default") if before else Target()
        self.target = target.deploy(request, now=2.0)
        self.observed: list[Replica] = []
        self.said: list[str] = []
        self.sent = []
        self.refuses = set()
        self.beats = 0
        self.errors_per_beat = 0
        self.done = asyncio.Event()
        self.trials = Trials(
            Stage(
                target=lambda: self.target,
                replicas=lambda _: self.observed,
                turned=self.turned,
                told=lambda _, text: self.said.append(text),
                passed=lambda: self.end("passed"),
                failed=lambda _, reason: self.end(reason),
            ),
            self.sleep,
        )
        self.trials.send = self.send
        self.trials.check = self.check
        self.trials.measured = SimpleNamespace(history=(), counts=self.counts)

    @property
    def app(self):
        return self.target.applications["default"]

    async def turned(self):
        await asyncio.sleep(0)

    async def sleep(self, _):
        self.beats += 1
        await asyncio.sleep(0)

    async def send(self, smoke, replica, prefix):
        self.sent.append((str(smoke), replica.id, prefix))
        return f"{smoke} answered 500." if smoke.path in self.refuses else ""

    async def check(self, replica, checks):
        self.sent.append((checks, replica.id))
        return "`check` returned False." if checks in self.refuses else ""

    def counts(self, _app, _ingress):
        took = Histogram([1e6] * 20 * self.beats)
        errors = self.errors_per_beat * self.beats
        return Count(buckets=took.buckets, errors=errors), Count(buckets={})

    def end(self, how):
        self.ended = how
        self.done.set()

    async def outcome(self):
        assert not self.trials.has_passed(self.app)
        await self.done.wait()
        return self.ended


def test_without_a_gate_nothing_is_waited_for():
    async def scenario():
        controller = Controller(Gate())

        assert controller.trials.has_passed(controller.app)

    asyncio.run(scenario())


def test_a_kept_instance_answers_right_after():
    async def scenario():
        controller = Controller(SMOKE)
        controller.observed = [running(NEW)]

        assert await controller.outcome() == "passed"
        assert controller.trials.has_passed(controller.app)
        assert [sent[0] for sent in controller.sent] == ["GET /", "GET /x"]
        (said,) = controller.said
        assert said.startswith("Answered 2 smoke requests")

    asyncio.run(scenario())


def test_what_has_answered_before_its_traffic_is_not_asked_again():
    async def scenario():
        controller = Controller(SMOKE)
        new = running(NEW)
        await controller.trials.before_traffic(
            replace(new, state=ReplicaState.STARTING)
        )
        controller.observed = [new]

        assert await controller.outcome() == "passed"
        assert len(controller.sent) == 2

    asyncio.run(scenario())


def test_a_new_replica_that_answers_badly_gets_no_traffic():
    async def scenario():
        controller = Controller(SMOKE)
        controller.refuses = {"/x"}

        with pytest.raises(GateError, match="Smoke request GET /x answered 500"):
            await controller.trials.before_traffic(running(NEW))

    asyncio.run(scenario())


def test_functions_are_asked_after_requests_and_may_refuse_too():
    async def scenario():
        controller = Controller(
            Gate(smoke=(Smoke(),), checks="blob-checks", count_of_checks=1)
        )
        new = running(NEW)

        await controller.trials.before_traffic(new)
        controller.refuses = {"blob-checks"}

        assert [sent[0] for sent in controller.sent] == ["GET /", "blob-checks"]
        with pytest.raises(GateError, match="Smoke test `check` returned False"):
            await controller.trials.before_traffic(new)

    asyncio.run(scenario())


@pytest.mark.parametrize("which", ["old version", "not the ingress", "live already"])
def test_only_new_replicas_of_the_ingress_are_asked_before_traffic(which):
    async def scenario():
        controller = Controller(SMOKE)
        controller.refuses = {"/"}
        replica = running(NEW)
        if which == "old version":
            replica = running(OLD)
        elif which == "not the ingress":
            replica = running(make_spec("Other", code="c2"))
        else:
            controller.target = controller.target.settle("default")

        await controller.trials.before_traffic(replica)

        assert not controller.sent

    asyncio.run(scenario())


def test_the_ingress_is_asked_once_what_it_calls_is_up():
    async def scenario():
        other = make_spec("Other", code="o2")
        controller = Controller(SMOKE, NEW, other)
        asked = asyncio.ensure_future(controller.trials.before_traffic(running(NEW)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        early = list(controller.sent)
        controller.observed = [running(other)]
        await asked

        assert not early
        assert len(controller.sent) == 2

    asyncio.run(scenario())


def test_a_trial_that_breaks_ends_the_deploy_too():
    async def scenario():
        controller = Controller(SMOKE)
        controller.observed = [running(NEW)]

        async def break_off(*_):
            raise OSError("no more sockets")

        controller.trials.send = break_off

        assert await controller.outcome() == (
            "Its trial broke: OSError: no more sockets"
        )

    asyncio.run(scenario())


def test_a_guard_goes_back_on_the_first_beat_that_shows_too_many_failures():
    async def scenario():
        controller = Controller(Gate(guard=Guard(for_s=60)))
        controller.errors_per_beat = 10

        assert "10 of 20 requests failed (50%)" in await controller.outcome()
        assert controller.beats == 2
        assert not controller.trials.has_passed(controller.app)

    asyncio.run(scenario())


def test_a_guard_that_sees_nothing_bad_lets_it_stay():
    async def scenario():
        controller = Controller(Gate(guard=Guard(for_s=2)))

        assert await controller.outcome() == "passed"
        begun, ended = controller.said
        assert begun == "Serves; watched for 2 s."
        assert ended.startswith("Watched: 80 requests, 0 failed")

    asyncio.run(scenario())


def test_with_nothing_to_go_back_to_a_guard_only_says_so():
    async def scenario():
        controller = Controller(Gate(guard=Guard()), before=())
        controller.errors_per_beat = 10

        assert await controller.outcome() == "passed"
        assert controller.said[-1].endswith("There is nothing to go back to.")

    asyncio.run(scenario())


def test_a_newer_deploy_ends_the_trial_of_the_one_before():
    async def scenario():
        controller = Controller(Gate(guard=Guard(for_s=1e6)))
        assert not controller.trials.has_passed(controller.app)
        await asyncio.sleep(0)

        controller.trials.forget("default")
        request = make_request(make_spec(code="c3"))
        controller.target = controller.target.deploy(request, now=3.0)
        beats = controller.beats
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert controller.trials.has_passed(controller.app)
        assert controller.beats == beats

    asyncio.run(scenario())
