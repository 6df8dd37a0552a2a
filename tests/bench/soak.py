"""A thousand redeploys under light load: does any process grow?

`python -m tests.bench.soak [--redeploys 1000]`; short among the tests. One application
is only ever kept and reconfigured, so that its replica's process is the same from first
to last; a second one is swapped and rolled. After a warm-up, in which histories fill,
each process may grow by 5 %.

Memory is what is resident (`Rss` of `smaps_rollup`), once nothing is called any more:
the least of several looks, so that what the next collection frees does not count.
"""

import argparse
import gc
import itertools
import os
import random
import threading
from collections.abc import Iterator
from typing import Any

from tests.bench.memory import memory_mb
from tests.bench.report import publish
from tests.bench.zero_loss import Changes, calling
from workbench import serve
from workbench.spec.status import Step

REDEPLOYS = 1_000
MOST_GROWTH = 0.05
# Of the redeploys: more than are remembered of an application (`controller.history`).
_WARM_UP = 0.2
_POINTS = 8
_LOOKS = 10
_LOOK_S = 0.5
_SEED = 5
# How often each step is taken in a hundred redeploys.
KEPT = {Step.KEEP: 50, Step.RECONFIGURE: 35}
REPLACED = {Step.SWAP: 10, Step.ROLL: 5}


class Soak:
    """Two applications, and the redeploys of them."""

    def __init__(self, name: str, seed: int = _SEED) -> None:
        self.kept = Changes(name)
        self.replaced = Changes(f"{name}-replaced")
        self.done = 0
        self._dice = random.Random(seed)
        for each in (self.kept, self.replaced):
            each.redeploy(Step.START)

    def go_on(self, count: int) -> None:
        """Redeploy so often, in an order drawn by the seed."""
        steps = {**KEPT, **REPLACED}
        for step in self._dice.choices([*steps], [*steps.values()], k=count):
            app = self.kept if step in KEPT else self.replaced
            app.redeploy(step)
        self.done += count

    def replica(self) -> int:
        """The process that must live through it all."""
        app = serve.status().applications[self.kept.name]
        [replica] = app.deployments["Lively"].replicas
        return replica.pid

    def pids(self) -> dict[str, int]:
        """The processes that must not grow."""
        instance = serve.status().instance
        assert instance is not None
        ours = {name: instance.pids[name] for name in ("controller", "proxy")}
        return {**ours, "replica": self.replica(), "who deploys": os.getpid()}


def resident_mb(pids: dict[str, int]) -> dict[str, float]:
    """What each process holds at rest."""
    gc.collect()
    pause = threading.Event()
    found = dict.fromkeys(pids, float("inf"))
    for _ in range(_LOOKS):
        pause.wait(_LOOK_S)
        for name, pid in pids.items():
            found[name] = min(found[name], memory_mb(pid)["RSS MB"])
    return found


def measure(soak: Soak, url: str, count: int) -> Iterator[dict[str, Any]]:
    """Rows of the report: after how many redeploys each process holds how much."""
    pids = soak.pids()
    warm_up = int(count * _WARM_UP)
    parts = [warm_up, *itertools.repeat((count - warm_up) // _POINTS, _POINTS)]
    for part in parts:
        with calling(url, "unary") as caller:
            soak.go_on(part)
            caller.end_input()
            caller.hear("SEEN")
        if soak.pids() != pids:
            msg = f"processes changed: {pids} became {soak.pids()}"
            raise RuntimeError(msg)
        yield {"redeploys": soak.done, **_titled(resident_mb(pids))}


def growth(rows: list[dict[str, Any]]) -> dict[str, float]:
    """By what share of it each process has grown since the warm-up."""
    first, last = rows[0], rows[-1]
    return {name: last[name] / first[name] - 1 for name in first if name != "redeploys"}


def _titled(sizes: dict[str, float]) -> dict[str, float]:
    return {f"{name} MB": size for name, size in sizes.items()}


def main() -> None:
    """Redeploy with an instance of our own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redeploys", type=int, default=REDEPLOYS)
    count = parser.parse_args().redeploys
    serve.start()
    rows: list[dict[str, Any]] = []
    try:
        soak = Soak("lively")
        instance = serve.status().instance
        assert instance is not None
        for row in measure(soak, f"{instance.http_url}/lively", count):
            print(row, flush=True)
            rows.append(row)
    finally:
        serve.shutdown()
    grown = growth(rows)
    publish("soak", rows, notes=", ".join(f"{k}: {v:+.1%}" for k, v in grown.items()))
    if too_much := [name for name, by in grown.items() if by > MOST_GROWTH]:
        raise SystemExit(f"Grown by more than {MOST_GROWTH:.0%}: {too_much}")


if __name__ == "__main__":
    main()
