"""Puts new versions to the test that their deploy asks for, before they count as live.

New replicas of the deployment that requests enter answer the smoke requests before
they take traffic; an instance that was kept, right after. Then the guard watches real
traffic. Until all of it is over the version before is remembered as what to go back to,
also by a controller that starts again: that one begins the trial anew.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from workbench.controller.judge import (
    Count,
    Figures,
    figures_before,
    figures_between,
    judge,
)
from workbench.controller.plan import is_settled
from workbench.controller.replica_life import ROUTED, Replica
from workbench.controller.target import ApplicationTarget, Target
from workbench.errors import GateError
from workbench.observe.beat import BEAT_S
from workbench.spec.gate import Guard
from workbench.spec.metrics import Sample

if TYPE_CHECKING:
    from workbench.controller.smoke import Send
    from workbench.spec.deployment import Version

__all__ = ["Measured", "Stage", "Trials"]

_log = logging.getLogger("workbench.controller")

Check = Callable[[Replica, str], Awaitable[str]]
"""Runs the functions of a blob on a replica; why one failed, or nothing."""
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a trial sees of the controller, and tells it."""

    target: Callable[[], Target]
    replicas: Callable[[str], Collection[Replica]]
    turned: Callable[[], Awaitable[None]]
    """Returns once something may have changed."""
    told: Callable[[str, str], None]
    """A trial has come so far, in words."""
    passed: Callable[[], None]
    failed: Callable[[str, str], None]
    """An application did not pass, and why."""


class Measured(Protocol):
    """What is known of real traffic."""

    @property
    def history(self) -> Iterable[Sample]: ...
    def counts(self, app: str, ingress: str) -> tuple[Count, Count]:
        """Requests to the application and calls of its ingress that ended so far."""


class Trials:
    """The trials of all applications."""

    def __init__(self, stage: Stage, sleep: Sleep = asyncio.sleep) -> None:
        self._stage = stage
        self._sleep = sleep
        self.send: Send
        self.check: Check
        self.measured: Measured
        """These are set once by whoever builds the controller."""
        self._passed: dict[str, float] = {}
        """When what has passed was deployed, by application."""
        self._running: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._answered: dict[str, dict[str, Version]] = defaultdict(dict)
        """Version in which each replica answered, by application and replica."""

    def has_passed(self, app: ApplicationTarget) -> bool:
        """Whether nothing is left to try; a trial begins if none has.

        Called once everything that was deployed is up.
        """
        name = app.spec.name
        if not (app.gate.asks or app.gate.guard):
            return True
        if self._passed.get(name) == app.deployed_at:
            return True
        running = self._running.get(name)
        if running is None or running[0] != app.deployed_at:
            if running is not None:
                running[1].cancel()
            task = asyncio.create_task(self._try(app))
            self._running[name] = (app.deployed_at, task)
        return False

    async def before_traffic(self, replica: Replica) -> None:
        """Have a new replica answer the smoke requests, if its deploy asks for that.

        Raises:
            GateError: it did not answer as it should; says which request, and how.
        """
        app = self._app_on_trial(replica)
        while app is not None and not self._others_are_up(app, replica):
            await self._stage.turned()
            app = self._app_on_trial(replica)
        if app is not None and (reason := await self._smoke(app, [replica])):
            raise GateError(reason)

    def forget(self, name: str) -> None:
        """The application is deployed anew, or deleted."""
        self._passed.pop(name, None)
        self._answered.pop(name, None)
        running = self._running.pop(name, None)
        if running is not None:
            running[1].cancel()

    async def _try(self, app: ApplicationTarget) -> None:
        """Try it, and say how that ended, whatever happens: a deploy waits for it."""
        name = app.spec.name
        try:
            reason = await self._reason_to_go(app)
        except Exception as error:  # noqa: BLE001 - else nobody would ever hear of it
            _log.exception("The trial of %s broke", name)
            reason = f"Its trial broke: {type(error).__name__}: {error}"
        if reason:
            self._stage.failed(name, reason)
            return
        self._passed[name] = app.deployed_at
        self._stage.passed()

    async def _reason_to_go(self, app: ApplicationTarget) -> str:
        name, spec = app.spec.name, app.spec
        serving = [
            each
            for each in self._stage.replicas(name)
            if each.spec.name == spec.ingress
            and each.state in ROUTED
            and self._answered[name].get(each.id) != each.version
        ]
        reason = await self._smoke(app, serving)
        if not reason and app.gate.guard is not None:
            reason = await self._watch(app, app.gate.guard)
            if reason and app.last_live is None:
                self._stage.told(name, f"{reason} There is nothing to go back to.")
                reason = ""
        return reason

    async def _smoke(
        self, app: ApplicationTarget, replicas: Collection[Replica]
    ) -> str:
        """Why one of them did not pass; empty if all did."""
        began = time.monotonic()
        for replica in replicas:
            for smoke in app.gate.smoke:
                prefix = app.spec.route_prefix or ""
                reason = await self.send(smoke, replica, prefix)
                if reason:
                    return f"Smoke request {reason}"
            if app.gate.checks:
                reason = await self.check(replica, app.gate.checks)
                if reason:
                    return f"Smoke test {reason}"
            self._answered[replica.app][replica.id] = replica.version
        if replicas and app.gate.asks:
            took_ms = (time.monotonic() - began) * 1000
            count = app.gate.asks
            noun = "test" if app.gate.checks else "request"
            what = f"{count} smoke {noun}{'s' if count != 1 else ''}"
            self._stage.told(app.spec.name, f"Answered {what} in {took_ms:.0f} ms.")
        return ""

    async def _watch(self, app: ApplicationTarget, guard: Guard) -> str:
        """Why it did not do well; empty if it did."""
        name, ingress = app.spec.name, f"{app.spec.name}#{app.spec.ingress}"
        before = figures_before(self.measured.history, name, ingress, app.deployed_at)
        self._stage.told(name, f"Serves; watched for {guard.for_s:g} s.")
        # What the last beat still tells is of the version before.
        await self._sleep(BEAT_S)
        begin = self.measured.counts(name, ingress)
        beats = max(1, round(guard.for_s / BEAT_S))
        for beat in range(1, beats + 1):
            await self._sleep(BEAT_S)
            now = _since(begin, self.measured.counts(name, ingress))
            if reason := judge(guard, before, now, is_over=beat == beats):
                return reason
        p99 = f", p99 {now.p99_ms:.1f} ms" if now.p99_ms is not None else ""
        said = f"{now.requests:.0f} requests, {now.errors:.0f} failed{p99}."
        self._stage.told(name, f"Watched: {said}")
        return ""

    def _app_on_trial(self, replica: Replica) -> ApplicationTarget | None:
        """The replica's application, if smoke requests are to be sent to it."""
        app = self._stage.target().applications.get(replica.app)
        if app is None or app.is_live or app.is_stopped or not app.gate.asks:
            return None
        wanted = {spec.name: spec.version for spec in app.spec.deployments}
        is_ingress = replica.spec.name == app.spec.ingress
        is_new = wanted.get(replica.spec.name) == replica.version
        return app if is_ingress and is_new else None

    def _others_are_up(self, app: ApplicationTarget, replica: Replica) -> bool:
        """Whether all that the ingress may call is up: it could not answer else."""
        others = tuple(s for s in app.spec.deployments if s.name != replica.spec.name)
        rest = replace(app, spec=replace(app.spec, deployments=others))
        return is_settled(rest, self._stage.replicas(replica.app))


def _since(begin: tuple[Count, Count], end: tuple[Count, Count]) -> Figures:
    """By the requests that clients sent; by calls of handles if those are more."""
    found = [figures_between(*each) for each in zip(begin, end, strict=True)]
    return max(found, key=lambda figures: figures.requests)
