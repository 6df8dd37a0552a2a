"""What is known of one autoscaled deployment: its calls, its decisions and why. Pure.

Held by `autoscaler`. It asks nobody: a policy's proposal is handed in.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from workbench.controller.autoscale import Case, Decision, Memory, decide
from workbench.controller.observed import Observed
from workbench.controller.replica_life import ROUTED
from workbench.controller.signals import Load, Signal, SignalWindow
from workbench.controller.target import Target
from workbench.spec.autoscaling import (
    AutoscalingConfig,
    AutoscalingPolicy,
    ScalingRecord,
    ScalingRule,
)
from workbench.spec.autoscaling_context import AutoscalingContext, DeploymentID
from workbench.spec.capacity import Bounds, bounds_at

__all__ = ["Autoscaled", "Scaler", "autoscaled"]

_RECORDS = 300
# The same decision is one record for so long, although its figures change.
_SAME_S = 10.0
_AGGREGATE: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": fmean,
    "max": max,
    "min": min,
}
_CHANGES = frozenset(
    {ScalingRule.UP, ScalingRule.DOWN, ScalingRule.WAKE, ScalingRule.BY_HAND}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaled:
    """A deployment as the controller has it now."""

    app: str
    deployment: str
    config: AutoscalingConfig
    wanted: int
    running: tuple[str, ...] = ()
    """Ids of the replicas that serve."""
    app_policy: AutoscalingPolicy | None = None
    """The application's, which takes the place of its own."""
    capacity: float | None = None
    """Percentage of its bounds that counts; None: all of it."""
    is_growing: bool = False
    """That was raised last."""

    @property
    def key(self) -> str:
        """As in the routing table."""
        return f"{self.app}#{self.deployment}"

    @property
    def bounds(self) -> Bounds:
        """Between which numbers it is scaled."""
        return bounds_at(self.config, self.capacity, is_growing=self.is_growing)

    @property
    def policy(self) -> AutoscalingPolicy:
        """Who is asked about it."""
        return self.app_policy or self.config.policy

    @property
    def policy_name(self) -> str:
        """The same as it is shown."""
        of = " of the application" if self.app_policy else ""
        return f"{self.policy.policy_function}{of}"

    @property
    def asked_with(self) -> str:
        """The same for all deployments about which one question is put."""
        return f"{self.app}#" if self.app_policy else self.key


def autoscaled(target: Target, observed: Observed) -> list[Autoscaled]:
    """Every deployment that is autoscaled, as it should be and as it is."""
    return [
        Autoscaled(
            app=name,
            deployment=spec.name,
            config=config,
            wanted=app.count(spec),
            running=tuple(
                each.id
                for each in observed.of(name)
                if each.spec.name == spec.name and each.state in ROUTED
            ),
            app_policy=app.spec.autoscaling_policy,
            capacity=app.spec.target_capacity,
            is_growing=app.is_growing,
        )
        for name, app in target.applications.items()
        for spec in app.deployments
        if (config := spec.options.autoscaling_config) is not None
    ]


class Scaler:
    """Sees, concludes, and remembers what it concluded."""

    def __init__(self) -> None:
        self.records: deque[ScalingRecord] = deque(maxlen=_RECORDS)
        """Oldest first."""
        self.reason = ""
        """Why there are as many as there are, for the status."""
        self.state: dict[str, object] = {}
        """What a policy of ours returned last."""
        self._window = SignalWindow()
        self._memory = Memory()

    def see(self, it: Autoscaled, signal: Signal, now: float) -> None:
        """Take in how it is now."""
        self._window.add(now, signal, it.config.look_back_period_s)

    def is_called(self) -> bool:
        """Whether calls wait or run, as far as was seen."""
        return self._window.last.ongoing > 0

    def context(self, it: Autoscaled, now: float) -> AutoscalingContext:
        """What a policy is shown."""
        last, stats = self._window.last, self._window.stats()
        aggregate = _AGGREGATE[it.config.aggregation_function]
        return AutoscalingContext(
            deployment_id=DeploymentID(it.deployment, it.app),
            deployment_name=it.deployment,
            app_name=it.app,
            config=it.config,
            current_num_replicas=len(it.running),
            target_num_replicas=it.wanted,
            running_replicas=list(it.running),
            total_num_requests=self._window.ongoing(it.config.aggregation_function),
            total_queued_requests=last.queued,
            total_running_requests=last.in_flight,
            aggregated_metrics={
                name: {
                    replica: aggregate([value for _, value in series])
                    for replica, series in by_replica.items()
                }
                for name, by_replica in stats.items()
            },
            raw_metrics=stats,
            capacity_adjusted_min_replicas=it.bounds.least,
            capacity_adjusted_max_replicas=it.bounds.most,
            policy_state=self.state,
            last_scale_up_time=self._memory.last_up,
            last_scale_down_time=self._memory.last_down,
            current_time=now,
            oldest_queued_s=last.oldest_queued_s,
            latency_ms=last.latency_ms,
        )

    def conclude(self, it: Autoscaled, proposed: float, now: float) -> int:
        """How many there should be, when the policy proposes so many."""
        made = decide(
            Case(
                config=it.config,
                bounds=it.bounds,
                wanted=it.wanted,
                load=self._load(it),
                memory=self._memory,
                proposed=proposed,
                now=now,
            )
        )
        self._memory = made.memory
        self._note(it, made, now, proposed)
        return made.wanted

    def hold(self, it: Autoscaled, rule: ScalingRule, why: str, now: float) -> None:
        """The number stays as it is, for a reason of its own."""
        self._memory = self._memory.steady
        made = Decision(wanted=it.wanted, rule=rule, why=why, memory=self._memory)
        self._note(it, made, now, None)

    def set_by_hand(self, it: Autoscaled, wanted: int, now: float) -> None:
        """Somebody else has decided; from there it goes on."""
        self._memory = self._memory.steady
        why = f"{wanted} were asked for by hand; autoscaling goes on from there"
        rule = ScalingRule.BY_HAND
        made = Decision(wanted=wanted, rule=rule, why=why, memory=self._memory)
        self._note(it, made, now, None)

    def _load(self, it: Autoscaled) -> Load:
        return Load(
            running=len(it.running),
            ongoing=self._window.ongoing(it.config.aggregation_function),
            now=self._window.last,
            is_whole=self._window.is_whole(it.config.look_back_period_s),
        )

    def _note(
        self, it: Autoscaled, made: Decision, now: float, proposed: float | None
    ) -> None:
        last = self._window.last
        record = ScalingRecord(
            deployment=it.deployment,
            at_s=round(now, 3),
            until_s=round(now, 3),
            rule=made.rule,
            why=made.why,
            before=it.wanted,
            running=len(it.running),
            wanted=made.wanted,
            policy=it.policy_name,
            proposed=None if proposed is None else round(proposed, 3),
            ongoing=round(self._window.ongoing(it.config.aggregation_function), 2),
            queued=last.queued,
            oldest_queued_s=round(last.oldest_queued_s, 2),
        )
        if made.rule in _CHANGES:
            self.reason = f"{it.wanted} → {made.wanted}: {made.why}"
        elif made.rule is ScalingRule.POLICY_FAILED:
            self.reason = f"the policy failed: {made.why}"
        elif self.reason.startswith("the policy failed"):
            self.reason = ""
        before = self.records[-1] if self.records else None
        if before is not None and _goes_on(before, record):
            self.records[-1] = replace(record, at_s=before.at_s)
        else:
            self.records.append(record)


def _goes_on(before: ScalingRecord, now: ScalingRecord) -> bool:
    """Whether a decision is the last one over again."""
    if before.rule in _CHANGES or now.until_s < before.until_s:
        return False
    same = replace(before, at_s=now.at_s, until_s=now.until_s)
    if same == now:
        return True
    figures = {
        "running": now.running,
        "proposed": now.proposed,
        "ongoing": now.ongoing,
        "queued": now.queued,
        "oldest_queued_s": now.oldest_queued_s,
    }
    alike = replace(same, **figures) == now  # type: ignore[arg-type]  # their own values
    return alike and now.until_s - before.at_s < _SAME_S
