"""Replicas know which of how many they are, also when these come and go."""

import os
import signal
from typing import Any

import pytest

from tests.integration.conftest import controller_pid, eventually
from workbench import api, serve
from workbench.errors import CallError


@serve.deployment(num_replicas=3, ray_actor_options={"num_cpus": 0.1})
class Ranked:
    def __init__(self, version=1):
        here = serve.get_replica_context()
        self.at_start = here.rank.rank, here.world_size
        self.told = []

    def reconfigure(self, config, rank):
        self.told.append((config, rank.rank))

    def who(self):
        here = serve.get_replica_context()
        return {
            "pid": os.getpid(),
            "rank": (here.rank.rank, here.rank.node_rank, here.rank.local_rank),
            "of": here.world_size,
            "at_start": self.at_start,
            "told": tuple(self.told),
        }


class Roll:
    """Everybody who runs."""

    def __init__(self, handle, app_name):
        self.handle = handle
        self.app_name = app_name

    def call(self):
        """By process; empty unless each of them has answered."""
        overview = serve.status().applications[self.app_name].deployments["Ranked"]
        pids = {each.pid for each in overview.replicas if each.state == "RUNNING"}
        found: dict[str, dict[str, Any]] = {}
        try:
            for _ in range(40):
                answers = [self.handle.who.remote() for _ in range(len(pids) * 2)]
                found |= {who["pid"]: who for who in (a.result(30) for a in answers)}
                if found.keys() == pids:
                    return found
        except CallError:
            pass  # one was killed with the call
        return {}

    def settled(self, count):
        """Who runs, once there are so many and their numbers have no gaps."""

        def numbered():
            found = self.call()
            ranks = sorted(each["rank"] for each in found.values())
            is_so = ranks == [(n, 0, n) for n in range(count)] and all(
                each["of"] == count and each["told"][-1][1] == each["rank"][0]
                for each in found.values()
            )
            return found if is_so else None

        return eventually(numbered)


@pytest.fixture
def roll(run, app_name):
    return Roll(run(Ranked.bind()), app_name)


def test_numbers_have_no_gaps_whoever_dies_or_is_taken_away(roll, run, app_name):
    first = roll.settled(3)
    for each in first.values():
        assert each["told"] == ((None, each["rank"][0]),)
        assert each["at_start"] == (each["rank"][0], 3)

    # The one that takes the place of a dead one has its number; the others hear nothing.
    dead = next(iter(first.values()))
    os.kill(dead["pid"], signal.SIGKILL)
    eventually(lambda: len(found := roll.call()) == 3 and dead["pid"] not in found)
    second = roll.settled(3)
    (new,) = second.keys() - first.keys()
    assert second[new]["rank"] == dead["rank"]
    stayed = first.keys() & second.keys()
    assert [first[pid] for pid in stayed] == [second[pid] for pid in stayed]

    run(Ranked.options(user_config={"a": 1}).bind())
    third = roll.settled(3)
    assert third.keys() == second.keys()
    for each in third.values():
        assert each["told"][-1] == ({"a": 1}, each["rank"][0])

    # Successors have the numbers of those they replace: nobody is told a second one.
    run(Ranked.bind(2))
    fourth = roll.settled(3)
    assert fourth.keys().isdisjoint(third)
    assert {len(each["told"]) for each in fourth.values()} == {1}

    api.scale(app_name, "Ranked", 1)
    assert roll.settled(1).keys() < fourth.keys()


def test_a_controller_that_starts_again_finds_them_as_they_are(roll):
    before = roll.settled(3)
    controller = controller_pid()

    os.kill(controller, signal.SIGKILL)
    assert eventually(lambda: controller_pid() not in {None, controller})

    assert roll.settled(3) == before
