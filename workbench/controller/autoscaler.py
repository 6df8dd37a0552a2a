"""Scales deployments that are autoscaled: asks policies, and tells the controller.

`tick` is called every beat, once all processes have reported; `wake` at once, when a
call waits for a deployment that has no replica. Lives on the controller's loop, and
waits there for nothing: users' policies run in processes of their own.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from workbench.controller.policy_process import PolicyProcess
from workbench.controller.scaler import Autoscaled, Scaler
from workbench.controller.scaling_policies import BUILT_IN
from workbench.controller.signals import Signal
from workbench.errors import PolicyError
from workbench.spec.autoscaling import (
    AutoscalingPolicy,
    ScalingRecord,
    ScalingRule,
)
from workbench.spec.autoscaling_context import AutoscalingContext
from workbench.wire.messages import Wake

__all__ = ["Autoscaler", "Plant"]

_log = logging.getLogger("workbench.controller")

# Until all have reported to a controller that starts, nothing looks like no calls.
_BLIND_TICKS = 2


class Plant(Protocol):
    """What this needs of the controller."""

    def autoscaled(self) -> Collection[Autoscaled]: ...
    def rescale(self, app: str, deployment: str, wanted: int) -> None: ...


class Autoscaler:
    """One `Scaler` for each deployment, and a process for each policy of a user's."""

    def __init__(
        self,
        plant: Plant,
        code: Callable[[str], bytes],
        note: Callable[[tuple[str, str], str, str], None],
    ) -> None:
        self._plant = plant
        self._code = code
        self._note = note
        self._scalers: dict[str, Scaler] = {}
        self._policies: dict[str, tuple[AutoscalingPolicy, PolicyProcess]] = {}
        """By what they are asked about, as `_asking` is."""
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._said: dict[str, str] = {}
        """How a policy failed last, so that its log holds each failure once."""
        self._ticks = 0

    def tick(self, now: float, signals: Mapping[str, Signal]) -> None:
        """Decide anew on every deployment."""
        self._ticks += 1
        those = {each.key: each for each in self._plant.autoscaled()}
        self._forget_others(those)
        together: dict[str, list[Autoscaled]] = {}
        for key, it in those.items():
            scaler = self._scalers.setdefault(key, Scaler())
            scaler.see(it, signals.get(key, Signal()), now)
            together.setdefault(it.asked_with, []).append(it)
        if self._ticks > _BLIND_TICKS:
            for group in together.values():
                self._judge(group, now)

    def wake(self, _router: str, told: Wake) -> None:
        """A call waits for a deployment without replicas."""
        now = time.time()
        for it in self._plant.autoscaled():
            if it.key == told.deployment and it.wanted == 0:
                scaler = self._scalers.setdefault(it.key, Scaler())
                scaler.see(it, Signal(queued=1), now)
                self._apply(it, scaler.conclude(it, 0.0, now))

    def set_by_hand(self, app: str, deployment: str, wanted: int) -> None:
        """Somebody has chosen the number; called before it changes."""
        for it in self._plant.autoscaled():
            if it.app == app and it.deployment == deployment:
                scaler = self._scalers.setdefault(it.key, Scaler())
                scaler.set_by_hand(it, wanted, time.time())

    def explain(self, app: str) -> tuple[ScalingRecord, ...]:
        """What was decided for an application's deployments and why, oldest first."""
        found = [
            record
            for key, scaler in self._scalers.items()
            if key.partition("#")[0] == app
            for record in scaler.records
        ]
        return tuple(sorted(found, key=lambda each: each.at_s))

    def reasons(self) -> dict[tuple[str, str], str]:
        """Why there are as many replicas as there are, by application and deployment."""
        return {
            (key.partition("#")[0], key.partition("#")[2]): scaler.reason
            for key, scaler in self._scalers.items()
        }

    def close(self) -> None:
        """End every policy's process."""
        self._forget_others({})

    def _judge(self, group: Sequence[Autoscaled], now: float) -> None:
        """Decide on those that share a policy: one, or all of an application."""
        # At once, whatever the policy may say to it later.
        woken = [it for it in group if self._wakes(it, now)]
        if len(woken) == len(group):
            return
        if group[0].policy.code:
            self._ask_later(group, now)
        else:
            self._ask_ours(group[0], now)

    def _wakes(self, it: Autoscaled, now: float) -> bool:
        scaler = self._scalers[it.key]
        if it.wanted or not scaler.is_called():
            return False
        self._apply(it, scaler.conclude(it, 0.0, now))
        return True

    def _ask_ours(self, it: Autoscaled, now: float) -> None:
        policy, scaler = it.policy, self._scalers[it.key]
        context = scaler.context(it, now)
        try:
            propose = BUILT_IN[str(policy.policy_function)]
            proposed, scaler.state = propose(context, **policy.policy_kwargs)
        except Exception as error:  # noqa: BLE001 - what a user declared for it is wrong
            self._fail(it, scaler, f"{type(error).__name__}: {error}", now)
            return
        self._apply(it, scaler.conclude(it, proposed, now))

    def _ask_later(self, group: Sequence[Autoscaled], now: float) -> None:
        """Ask a user's policy, unless it still thinks about the last question."""
        about = group[0].asked_with
        if about in self._asking:
            return
        contexts = [self._scalers[it.key].context(it, now) for it in group]
        work = self._ask(about, self._process_of(group[0]), contexts)
        task = self._asking[about] = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._asking.pop(about, None))

    async def _ask(
        self, about: str, process: PolicyProcess, contexts: list[AutoscalingContext]
    ) -> None:
        proposed: Mapping[str, float] = {}
        failure = ""
        try:
            proposed = await process.ask(contexts)
        except PolicyError as error:
            failure = error.message
        now = time.time()
        # As it is by now.
        for it in self._plant.autoscaled():
            scaler = self._scalers.get(it.key)
            if it.asked_with != about or scaler is None:
                continue
            if failure:
                self._fail(it, scaler, failure, now)
            else:
                self._said.pop(it.key, None)
                self._take(it, scaler, proposed.get(it.key), now)

    def _take(
        self, it: Autoscaled, scaler: Scaler, proposed: float | None, now: float
    ) -> None:
        if proposed is not None:
            self._apply(it, scaler.conclude(it, proposed, now))
            return
        scaler.hold(it, ScalingRule.FITS, "the policy said no number for it", now)
        self._apply(it, it.bounds.clamp(it.wanted))

    def _fail(self, it: Autoscaled, scaler: Scaler, failure: str, now: float) -> None:
        """The number stays; the reason is seen in the status, the rest in its log."""
        lines = failure.strip().splitlines() or ["it said nothing"]
        scaler.hold(it, ScalingRule.POLICY_FAILED, lines[-1], now)
        if self._said.get(it.key) != failure:
            self._said[it.key] = failure
            text = (
                f"The autoscaling policy {it.policy_name} failed; "
                f"{it.wanted} replicas stay.\n"
            )
            self._note((it.app, it.deployment), "", text + failure.rstrip())
        # Within its bounds it must be also while its policy does not say so.
        self._apply(it, it.bounds.clamp(it.wanted))

    def _apply(self, it: Autoscaled, wanted: int) -> None:
        if wanted != it.wanted:
            _log.info("%s goes from %d to %d replicas", it.key, it.wanted, wanted)
            self._plant.rescale(it.app, it.deployment, wanted)

    def _process_of(self, it: Autoscaled) -> PolicyProcess:
        policy, about = it.policy, it.asked_with
        known = self._policies.get(about)
        if known is not None and known[0] == policy:
            return known[1]
        if known is not None:
            known[1].end()
        code, is_for_all = self._code(policy.code), it.app_policy is not None
        made = PolicyProcess(policy, code, is_for_all=is_for_all)
        self._policies[about] = policy, made
        return made

    def _forget_others(self, those: Mapping[str, Autoscaled]) -> None:
        for key in [key for key in self._scalers if key not in those]:
            del self._scalers[key]
            self._said.pop(key, None)
        asked = {it.asked_with for it in those.values() if it.policy.code}
        for about in [each for each in self._policies if each not in asked]:
            _, process = self._policies.pop(about)
            process.end()
