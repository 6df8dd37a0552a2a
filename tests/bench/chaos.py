"""Processes killed at random under load, alone and in pairs: what is lost, what is left.

`python -m tests.bench.chaos [--seconds 600] [--seed 20]`; short among the tests. The
gateway lives in the controller's process, and dies with it. Of a pair, the second is
killed at the same moment or up to two seconds after, in the middle of the repair.

A request that was inside a killed process may be lost, and so may one that finds the
door shut: a client that tries again gets its answer. No other may: those are the
unexplained ones, of which there are none if all is well.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import httpx

from tests.bench import peers
from tests.bench.census import take_census
from tests.bench.lively import lively
from tests.bench.report import publish
from tests.bench.steady import CALLERS
from tests.bench.zero_loss import NAME, calling, deploy
from workbench import serve
from workbench.errors import WorkbenchError
from workbench.spec.status import ProxyStatus, ServeStatus

SECONDS = 600.0
SEED = 20
REPLICAS = 3
_KINDS = ("controller", "proxy", "replica")
VICTIMS = (
    *((kind,) for kind in _KINDS),
    *itertools.combinations(_KINDS, 2),
    ("replica", "replica"),
)
# Repair takes seconds on an idle machine; what takes longer than this never comes.
_WHOLE_S = 120.0
_LOOK_S = 0.1
_APART_S = 2.0
# Longer than memory of large values is kept for the next one, and files of the dead lie.
_SETTLE_S = 40.0
# From a SIGKILL until the kernel has closed the process's sockets, on a busy machine.
_DYING_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One or two processes killed, and what followed."""

    victims: tuple[str, ...]
    sent: int
    inside: int
    """Lost in a process that was killed."""
    at_door: int
    """Lost because no proxy was there to take them."""
    unexplained: int
    pause_s: float
    """The longest that one caller got no answer."""
    whole_s: float
    """Until everything that should run ran again."""


@dataclass(slots=True)
class Chaos:
    """Kills, waits until all is well, and keeps what was seen."""

    name: str
    caller: peers.Process
    dice: random.Random
    kills: list[Kill] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    """Of losses that have no explanation."""

    def strike(self, victims: Sequence[str]) -> None:
        """Kill these, and wait until nothing is missing and everybody is answered.

        Raises:
            TimeoutError: it does not come to that.
        """
        began_s = time.monotonic()
        struck = self._kill(victims)
        wait_until_well(self.name, without=set(struck))
        whole_s = time.monotonic() - began_s
        sent, losses, pause_s = self._hear_until_answered(time.monotonic())
        why = Counter(_why(each, victims, max(struck.values())) for each in losses)
        self.examples += [
            f"{'+'.join(victims)} at {began_s:.3f}: {each['error']}"
            for each in losses
            if _why(each, victims, max(struck.values())) == "unexplained"
        ]
        self.kills.append(
            Kill(
                victims=tuple(victims),
                sent=sent,
                inside=why["inside"],
                at_door=why["at door"],
                unexplained=why["unexplained"],
                pause_s=pause_s,
                whole_s=whole_s,
            )
        )

    def _kill(self, victims: Sequence[str]) -> dict[int, float]:
        """Process ids, and when each was killed."""
        running = pids(serve.status(), self.name)
        struck: dict[int, float] = {}
        for kind in self.dice.sample(victims, len(victims)):
            if struck and self.dice.random() < 0.5:
                threading.Event().wait(self.dice.uniform(0.0, _APART_S))
            pid = self.dice.choice(sorted(running[kind] - struck.keys()))
            os.kill(pid, signal.SIGKILL)
            struck[pid] = time.monotonic()
        return struck

    def _hear_until_answered(
        self, since_s: float
    ) -> tuple[int, list[dict[str, Any]], float]:
        """What callers sent, lost and waited for; ends when all have an answer."""
        sent, losses, pause_s = 0, [], 0.0
        for _ in looks(_WHOLE_S):
            self.caller.say("look")
            seen = json.loads(self.caller.hear("SAW"))
            sent += seen["sent"]
            losses += seen["losses"]
            pause_s = max(pause_s, seen["longest_s"])
            if seen["answered_s"] > since_s:
                return sent, losses, pause_s
        msg = f"callers get no answer: {losses[-1:]}"
        raise TimeoutError(msg)


def _why(loss: dict[str, Any], victims: Sequence[str], struck_s: float) -> str:
    """Why a request was lost, when the last process was killed at `struck_s`."""
    if loss["is_refused"] and "proxy" in victims:
        return "at door"
    was_inside = loss["began_s"] < struck_s + _DYING_S
    if was_inside and not loss["is_refused"] and {"proxy", "replica"} & set(victims):
        return "inside"
    return "unexplained"


def looks(within_s: float) -> Iterator[None]:
    """Turns of a loop that waits for something, until the time is over."""
    pause = threading.Event()
    ends_s = time.monotonic() + within_s
    while time.monotonic() < ends_s:
        yield
        pause.wait(_LOOK_S)


def pids(status: ServeStatus, name: str) -> dict[str, set[int]]:
    """Processes that can be killed, by kind."""
    assert status.instance is not None
    replicas = status.applications[name].deployments["Lively"].replicas
    return {
        "controller": {status.instance.pids["controller"]},
        "proxy": {status.instance.pids["proxy"]},
        "replica": {each.pid for each in replicas if each.state == "RUNNING"},
    }


def wait_until_well(name: str, without: set[int]) -> None:
    """Return once everything runs that should, in processes other than those.

    Raises:
        TimeoutError: it does not come to that.
    """
    status = None
    for _ in looks(_WHOLE_S):
        with contextlib.suppress(WorkbenchError, httpx.TransportError):
            status = serve.status()
            if is_well(status, name, without):
                return
    msg = f"not well again: {status}"
    raise TimeoutError(msg)


def is_well(status: ServeStatus, name: str, without: set[int]) -> bool:
    """Whether proxy and replicas are all there, and none of those."""
    if status.instance is None or name not in status.applications:
        return False
    running = pids(status, name)
    proxies = set(status.proxies.values())
    return (
        proxies == {ProxyStatus.HEALTHY}
        and len(running["replica"]) == REPLICAS
        and not without & set().union(*running.values())
    )


def target_of(name: str) -> dict[str, object]:
    """What should run, and what was deployed: no kill may change it."""
    app = serve.status().applications[name]
    return {
        "route": app.route_prefix,
        "deployed at": app.last_deployed_time_s,
        "deployments": {
            each: (found.version, found.target_num_replicas)
            for each, found in app.deployments.items()
        },
        "versions": [(each.number, each.version) for each in serve.versions(name)],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of all kills; `problems` should be empty."""

    kills: list[Kill]
    problems: list[str]


def unleash(name: str, url: str, seconds: float, seed: int) -> Outcome:
    """Kill for so long, every kind at least once, in an order drawn by the seed."""
    dice = random.Random(seed)
    target, before = target_of(name), take_census(name)
    with calling(url, *CALLERS) as caller:
        chaos = Chaos(name, caller, dice)
        ends_s = time.monotonic() + seconds
        for victims in _draw(dice):
            chaos.strike(victims)
            if time.monotonic() >= ends_s and len(chaos.kills) >= len(VICTIMS):
                break
            threading.Event().wait(dice.uniform(0.0, 1.0))
        caller.end_input()
        caller.hear("SEEN")
    problems = [f"lost: {each}" for each in chaos.examples]
    if (after := target_of(name)) != target:
        problems.append(f"the target was {target} and is {after}")
    left: list[str] = []
    for _ in looks(_SETTLE_S):
        left = take_census(name).leftovers(before, REPLICAS)
        if not left:
            break
    return Outcome(kills=chaos.kills, problems=problems + left)


def _draw(dice: random.Random) -> Iterator[tuple[str, ...]]:
    while True:
        yield from dice.sample(VICTIMS, len(VICTIMS))


def table(kills: Sequence[Kill]) -> list[dict[str, object]]:
    """What was killed, how often, and what came of it."""
    rows = []
    for victims in VICTIMS:
        same = [kill for kill in kills if kill.victims == victims]
        if same:
            rows.append(
                {
                    "killed": " + ".join(victims),
                    "times": len(same),
                    "sent": sum(kill.sent for kill in same),
                    "lost in it": sum(kill.inside for kill in same),
                    "at a shut door": sum(kill.at_door for kill in same),
                    "else lost": sum(kill.unexplained for kill in same),
                    "longest pause: median s": median(k.pause_s for k in same),
                    "at most s": max(kill.pause_s for kill in same),
                    "whole again: median s": median(k.whole_s for k in same),
                    "after at most s": max(kill.whole_s for kill in same),
                }
            )
    return rows


def main() -> None:
    """Ten minutes of it, with an instance of our own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    serve.start()
    try:
        deploy(lively(num_replicas=REPLICAS), NAME)
        instance = serve.status().instance
        assert instance is not None
        url = f"{instance.http_url}/{NAME}"
        outcome = unleash(NAME, url, asked.seconds, asked.seed)
    finally:
        serve.shutdown()
    found = "\n".join(outcome.problems) or "The target is kept; nothing is left over."
    notes = f"{REPLICAS} replicas, seed {asked.seed}. {found}"
    publish("chaos", table(outcome.kills), notes=notes)
    if outcome.problems:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
