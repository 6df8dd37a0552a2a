"""Scales deployments that are autoscaled: asks policies, and tells the controller.

`tick` is called every beat, once all processes have reported; `wake` at once, when a
call waits for a deployment that has no replica. Lives on the controller's loop, and
waits there for nothing: users' policies run in processes of their own.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from workbench.controller.policy_process import PolicyProcess
from workbench.controller.scaler import Autoscaled, Scaler
from workbench.controller.scaling_policies import BUILT_IN
from workbench.controller.signals import Signal
from workbench.errors import PolicyError
from workbench.spec.autoscaling import (
    AutoscalingContext,
    AutoscalingPolicy,
    ScalingRecord,
    ScalingRule,
)
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
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._said: dict[str, str] = {}
        """How a policy failed last, so that its log holds each failure once."""
        self._ticks = 0

    def tick(self, now: float, signals: Mapping[str, Signal]) -> None:
        """Decide anew on every deployment."""
        self._ticks += 1
        those = {each.key: each for each in self._plant.autoscaled()}
        self._forget_others(those)
        for key, it in those.items():
            scaler = self._scalers.setdefault(key, Scaler())
            scaler.see(it, signals.get(key, Signal()), now)
            if self._ticks > _BLIND_TICKS:
                self._judge(it, scaler, now)

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

    def _judge(self, it: Autoscaled, scaler: Scaler, now: float) -> None:
        policy = it.config.policy
        if it.wanted == 0 and scaler.is_called():
            # At once, whatever the policy may say to it later.
            self._apply(it, scaler.conclude(it, 0.0, now))
        elif policy.code:
            self._ask_later(it, scaler, now)
        else:
            self._ask_ours(it, scaler, now)

    def _ask_ours(self, it: Autoscaled, scaler: Scaler, now: float) -> None:
        policy = it.config.policy
        context = scaler.context(it, now)
        try:
            propose = BUILT_IN[str(policy.policy_function)]
            proposed, scaler.state = propose(context, **policy.policy_kwargs)
        except Exception as error:  # noqa: BLE001 - what a user declared for it is wrong
            self._fail(it, scaler, f"{type(error).__name__}: {error}", now)
            return
        self._apply(it, scaler.conclude(it, proposed, now))

    def _ask_later(self, it: Autoscaled, scaler: Scaler, now: float) -> None:
        """Ask a user's policy, unless it still thinks about the last question."""
        if it.key in self._asking:
            return
        work = self._ask(it.key, self._process_of(it), scaler.context(it, now))
        task = self._asking[it.key] = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._asking.pop(it.key, None))

    async def _ask(
        self, key: str, process: PolicyProcess, context: AutoscalingContext
    ) -> None:
        proposed, failure = 0.0, ""
        try:
            proposed = await process.ask(context)
        except PolicyError as error:
            failure = error.message
        now = time.time()
        # As it is by now.
        for it in self._plant.autoscaled():
            if it.key == key and (scaler := self._scalers.get(key)):
                if failure:
                    self._fail(it, scaler, failure, now)
                else:
                    self._said.pop(key, None)
                    self._apply(it, scaler.conclude(it, proposed, now))

    def _fail(self, it: Autoscaled, scaler: Scaler, failure: str, now: float) -> None:
        """The number stays; the reason is seen in the status, the rest in its log."""
        lines = failure.strip().splitlines() or ["it said nothing"]
        scaler.hold(it, ScalingRule.POLICY_FAILED, lines[-1], now)
        if self._said.get(it.key) != failure:
            self._said[it.key] = failure
            text = f"The autoscaling policy failed; {it.wanted} replicas stay.\n"
            self._note((it.app, it.deployment), "", text + failure.rstrip())
        # Within its bounds it must be also while its policy does not say so.
        self._apply(it, it.config.clamp(it.wanted))

    def _apply(self, it: Autoscaled, wanted: int) -> None:
        if wanted != it.wanted:
            _log.info("%s goes from %d to %d replicas", it.key, it.wanted, wanted)
            self._plant.rescale(it.app, it.deployment, wanted)

    def _process_of(self, it: Autoscaled) -> PolicyProcess:
        policy = it.config.policy
        known = self._policies.get(it.key)
        if known is not None and known[0] == policy:
            return known[1]
        if known is not None:
            known[1].end()
        made = PolicyProcess(policy, self._code(policy.code))
        self._policies[it.key] = policy, made
        return made

    def _forget_others(self, those: Mapping[str, Autoscaled]) -> None:
        for key in [key for key in self._scalers if key not in those]:
            del self._scalers[key]
            self._said.pop(key, None)
        for key, (_, process) in list(self._policies.items()):
            if key not in those or not those[key].config.policy.code:
                process.end()
                del self._policies[key]
