"""What a turn of the controller costs, by the number of deployments; simulated.

The pure core alone: no Ray, no processes. A turn plans, makes the table, looks who is
settled; a change is one replica that came up, told to a thousand routers.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import replace

from tests.bench.report import publish
from tests.unit.controller.world import make_spec, running
from workbench.controller.observed import Observed
from workbench.controller.plan import is_settled, plan
from workbench.controller.publish import Publisher
from workbench.controller.report import report_application
from workbench.controller.table import TableBuilder, changed
from workbench.controller.target import ApplicationTarget, Target
from workbench.routing.dispatch import Router
from workbench.spec.application import ApplicationSpec
from workbench.spec.table import Address, Table
from workbench.wire.framing import encode_once
from workbench.wire.messages import Subscribe, TableChanged, TableUpdate

DEPLOYMENTS = (10, 30, 100, 300, 1_000)
REPLICAS_EACH = 10
ROUTERS = 1_000
ROUNDS = 7
_BAR_WIDTH = 60


class World:
    """So many applications of one deployment, all of which run."""

    def __init__(self, count: int) -> None:
        self.apps = [self._app(number, "c1") for number in range(count)]
        self.target = self._target(self.apps)
        # A deploy of everything at once, for the plan that has the most to do.
        self.changed = self._target([self._app(n, "c2") for n in range(count)])
        self.observed = Observed(
            replace(
                running(app.spec.deployments[0], number, app=app.spec.name),
                id=f"{app.spec.name}-{number}",
                address=Address(host_id="h", path="/s/x", host="127.0.0.1", port=1),
            )
            for app in self.apps
            for number in range(REPLICAS_EACH)
        )
        self.tables = TableBuilder()
        self.table = self.tables.build(self.target, self.observed, 1)

    def add_replica(self) -> Table:
        """The table when one more replica has come up."""
        like = self.observed["app0-0"]
        new = replace(like, id=f"more-{time.perf_counter_ns()}")
        self.observed[new.id] = new
        after = self.tables.build(self.target, self.observed, self.table.version + 1)
        del self.observed[new.id]
        return after

    def settled(self) -> list[bool]:
        """Ask of every application whether all of it is up."""
        return [is_settled(app, self.observed.of(app.spec.name)) for app in self.apps]

    def status(self) -> list[object]:
        """What a front end would be told."""
        return [
            report_application(app, self.observed.of(app.spec.name), "")
            for app in self.apps
        ]

    @staticmethod
    def _app(number: int, code: str) -> ApplicationTarget:
        spec = make_spec("Model", code=code, init=code, num_replicas=REPLICAS_EACH)
        name = f"app{number}"
        return ApplicationTarget(
            spec=ApplicationSpec(
                name=name,
                route_prefix=f"/{name}",
                ingress=spec.name,
                deployments=(spec,),
            ),
            is_live=True,
        )

    @staticmethod
    def _target(apps: list[ApplicationTarget]) -> Target:
        return Target(applications={app.spec.name: app for app in apps})


class Silent:
    """A channel that nobody reads."""

    def send(self, message: object, buffers: object = ()) -> None:
        """Take a message."""

    def send_frame(self, frame: bytes) -> None:
        """Take a frame."""


def measure(count: int) -> dict[str, object]:
    """Each part of a turn, and of a change, with so many deployments."""
    world = World(count)
    rest = list(world.observed.values())
    parts = {
        "plan": best_ms(lambda: plan(world.target, rest, {}, 0.0)),
        "table": best_ms(
            lambda: world.tables.build(world.target, world.observed, 1) == world.table
        ),
        "settled": best_ms(world.settled),
    }
    after = world.add_replica()
    change = changed(world.table, after)
    router = Router(name="bench", secret=b"", host_id="h")
    router.update(world.table)
    back = changed(after, world.table)

    def apply() -> None:
        assert router.change(change)
        assert router.change(back)

    return {
        "deployments": count,
        "replicas": count * REPLICAS_EACH,
        "a turn: ms": sum(parts.values()),
        **{f"{name}: ms": cost for name, cost in parts.items()},
        "all redeployed, plan: ms": best_ms(lambda: plan(world.changed, rest, {}, 0.0)),
        "status: ms": best_ms(world.status),
        f"change to {ROUTERS:,} routers: ms": publish_ms(world.table, after),
        "whole table: bytes": len(encode_once(TableUpdate(after))),
        "change: bytes": len(encode_once(TableChanged(change))),
        "router, whole table: µs": 1e3 * best_ms(lambda: whole(world.table)),
        "router, change: µs": 1e3 * best_ms(apply) / 2,
    }


def whole(table: Table) -> None:
    """Take a whole table, as after a reconnect."""
    Router(name="bench", secret=b"", host_id="h").update(table)


def publish_ms(before: Table, after: Table) -> float:
    """What the controller's loop spends on telling all routers of a change."""
    publisher = Publisher()
    for number in range(ROUTERS):
        publisher.on_message(Silent(), Subscribe(str(number)), ())  # type: ignore[arg-type]
    publisher.publish(before)
    began = time.perf_counter()
    publisher.publish(after)
    return 1e3 * (time.perf_counter() - began)


def best_ms(work: Callable[[], object]) -> float:
    """The quickest of some rounds: a shared machine only ever adds to it."""
    found = float("inf")
    for _ in range(ROUNDS):
        gc.collect()
        began = time.perf_counter()
        work()
        found = min(found, time.perf_counter() - began)
    return 1e3 * found


def draw(rows: list[dict[str, object]]) -> str:
    """The curve: a bar for each number of deployments."""
    costs = [float(str(row["a turn: ms"])) for row in rows]
    return "\n".join(
        f"{row['deployments']:>6} {'█' * max(1, round(_BAR_WIDTH * cost / max(costs)))}"
        f" {cost:.2f} ms"
        for row, cost in zip(rows, costs, strict=True)
    )


def main() -> None:
    """Measure, print, draw."""
    rows = [measure(count) for count in DEPLOYMENTS]
    publish(
        "planning",
        rows,
        notes=f"{REPLICAS_EACH} replicas each; the quickest of {ROUNDS} rounds.\n\n"
        f"A turn of the controller, by deployments:\n{draw(rows)}",
    )


if __name__ == "__main__":
    main()
