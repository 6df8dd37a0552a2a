"""Everything that may happen to a served application, under load: is a request lost?

Redeploys by every step, scaling, other applications that come, move and go.
`python -m tests.bench.zero_loss [redeploys of each kind]`; short among the tests.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench import peers
from tests.bench.lively import lively, small
from tests.bench.report import publish
from workbench import api, serve
from workbench.spec.status import EventKind, Step

REDEPLOYS = 50
MOST_REPLICAS = 8
NAME = "lively"
_PAUSE_S = 0.2
_BECOME_S = 120.0

Seen = dict[str, Any]


def deploy(deployment: Any, name: str, **options: Any) -> Step | None:
    """Deploy as a notebook does; which step was taken."""
    options.setdefault("route_prefix", f"/{name}")
    made = api.deploy(deployment.bind(), name=name, may_keep=True, **options)
    steps = [each.step for each in made.events if each.kind is EventKind.STEP]
    return steps[0] if steps else None


class Changes:
    """The ways to change an application; each call is one of them, with its step.

    What one phase has changed stays for the next, so that only one thing differs.
    """

    def __init__(self, name: str = NAME) -> None:
        self.name = name
        self._parts: dict[str, Any] = {}
        self._number = 0
        self._has_rolled = False

    def redeploy(self, step: Step) -> None:
        """Change what needs this step, and deploy.

        Raises:
            RuntimeError: another step was taken.
        """
        self._number += step is not Step.NOTHING
        match step:
            case Step.RECONFIGURE:
                self._parts["user_config"] = self._number
            case Step.KEEP:
                self._parts["version"] = self._number
            case Step.SWAP:
                self._parts["constant"] = self._number
            case Step.ROLL:
                self._has_rolled = not self._has_rolled
                cpus = 0.6 if self._has_rolled else 0.5
                self._parts["ray_actor_options"] = {"num_cpus": cpus}
        taken = deploy(lively(**self._parts), self.name)
        if taken not in {step, Step.START}:
            msg = f"asked for {step}, and {taken} was taken"
            raise RuntimeError(msg)

    def scale(self, count: int) -> None:
        """Go to so many replicas, and wait until they are there."""
        api.scale(self.name, "Lively", count)
        wait_for_replicas(self.name, count)

    def others(self, prefix: str) -> None:
        """Another application comes, moves to routes around ours, and goes."""
        other = f"{self.name}-other"
        for route in (prefix, f"/{self.name}/deeper", f"/{self.name}er"):
            deploy(small(), other, route_prefix=route)
        api.delete(other)


def wait_for_replicas(name: str, count: int) -> None:
    """Return once so many run, and no others."""
    pause = threading.Event()
    for _ in range(int(_BECOME_S / _PAUSE_S)):
        found = serve.status().applications[name].deployments["Lively"]
        if found.replica_states == {"RUNNING": count}:
            return
        pause.wait(_PAUSE_S)
    msg = f"{name} did not come to {count} replicas: {found.replica_states}"
    raise RuntimeError(msg)


@contextmanager
def load(url: str) -> Iterator[Seen]:
    """Constant load for the time of the block; filled with what it saw at its end."""
    seen: Seen = {}
    with calling(url) as process:
        yield seen
        process.end_input()
        seen.update(json.loads(process.hear("SEEN")))


@contextmanager
def calling(url: str, *kinds: str) -> Iterator[peers.Process]:
    """The process that calls, for the time of the block."""
    with peers.running([*peers.module("steady"), url, *kinds]) as process:
        process.hear("READY")
        yield process


def phases(changes: Changes, count: int, most: int) -> dict[str, Callable[[], None]]:
    """What is done to the application, by what it is called."""

    def redeploys(step: Step) -> Callable[[], None]:
        def again() -> None:
            for _ in range(count):
                changes.redeploy(step)

        return again

    def up_and_down() -> None:
        for _ in range(max(1, count // 10)):
            changes.scale(most)
            changes.scale(1)

    def others() -> None:
        for number in range(max(1, count // 5)):
            changes.others(f"/other{number}")

    steps = (Step.NOTHING, Step.RECONFIGURE, Step.KEEP, Step.SWAP, Step.ROLL)
    return {
        **{f"{step} × {count}": redeploys(step) for step in steps},
        f"scaled 1 ↔ {most}": up_and_down,
        "other applications come, move and go": others,
    }


def measure(url: str, what: str, act: Callable[[], None]) -> dict[str, object]:
    """One phase under load; one row of the report."""
    with load(url) as seen:
        act()
    for example in seen["examples"]:
        print(f"{what}: {example}")
    kinds = {kind: each["sent"] for kind, each in seen["kinds"].items()}
    row = {"what": what, **kinds, "lost": seen["lost"]}
    return row | {"longest pause s": seen["longest_s"]}


def main() -> None:
    """Go through all phases with an instance of our own."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else REDEPLOYS
    serve.start()
    try:
        changes = Changes()
        changes.redeploy(Step.START)
        instance = serve.status().instance
        assert instance is not None
        url = f"{instance.http_url}/{NAME}"
        rows = [
            measure(url, what, act)
            for what, act in phases(changes, count, MOST_REPLICAS).items()
        ]
    finally:
        serve.shutdown()
    publish("zero_loss", rows, notes="Streams and sockets end on the code they began.")


if __name__ == "__main__":
    main()
