"""How many replicas there should be, and why: one decision. Pure: no clock, no I/O.

Called by `autoscaler` twice a second for each deployment that is autoscaled. A policy
proposes a number; what stands here makes of it a decision that does not flap: factors,
bounds, and delays for which a change must have been wanted all the time. Of a decline
it takes the highest number of that time, so that the shortest lull decides nothing.
"""

import math
from dataclasses import dataclass, replace

from workbench.controller.signals import Load
from workbench.spec.autoscaling import AutoscalingConfig, ScalingRule
from workbench.spec.capacity import Bounds

__all__ = ["Case", "Decision", "Memory", "decide"]

# Where replicas were just too few, as many are tried again once the load is below this
# part of what it was then.
_RELIEF = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a decision must know of those before it. Times are of one clock."""

    rising_since: float | None = None
    """More have been wanted since then."""
    falling_since: float | None = None
    falling_to: int = 0
    """Highest number that was wanted since then."""
    last_up: float | None = None
    last_down: float | None = None
    short_of: int = 0
    """So many replicas were too few, by a little or because calls waited too long …"""
    short_at: float = 0.0
    """… when so many were ongoing."""

    @property
    def steady(self) -> "Memory":
        """The same when the number is right."""
        return replace(self, rising_since=None, falling_since=None, falling_to=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How many there should be from now on."""

    wanted: int
    rule: ScalingRule
    why: str
    memory: Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What there is to decide on."""

    config: AutoscalingConfig
    bounds: Bounds
    wanted: int
    """How many there should be so far."""
    load: Load
    memory: Memory
    proposed: float
    """What the policy says."""
    now: float

    def waits_too_long(self) -> bool:
        """Whether a call has waited longer than it should."""
        limit, last = self.config.max_queue_age_s, self.load.now
        return limit is not None and last.queued > 0 and last.oldest_queued_s > limit


def decide(case: Case) -> Decision:
    """What becomes of a policy's proposal."""
    if case.wanted == 0:
        return _from_zero(case)
    case = _note_shortage(case)
    desired = case.bounds.clamp(_desired(case))
    if desired > case.wanted:
        return _rise(case, desired)
    if desired < case.wanted:
        return _fall(case, desired)
    return _hold(case, _fits(case))


def _from_zero(case: Case) -> Decision:
    calls = case.load.now.ongoing
    if case.bounds.most == 0:
        return _hold(case, "target_capacity is 0")
    if calls == 0 and case.proposed <= 0:
        return _hold(case, "no calls, no replicas")
    least = math.ceil(case.config.get_upscaling_factor())
    number = case.bounds.clamp(max(1, least, math.ceil(case.proposed)))
    why = f"{_calls(calls)} and no replica: at once" if calls else "by the policy"
    memory = replace(case.memory.steady, last_up=case.now)
    return Decision(wanted=number, rule=ScalingRule.WAKE, why=why, memory=memory)


def _note_shortage(case: Case) -> Case:
    """Remember that so many replicas are too few for so many calls."""
    # While replicas are starting, that calls wait says nothing of how many are needed.
    if not case.waits_too_long() or case.load.running < case.wanted:
        return case
    short = replace(case.memory, short_of=case.wanted, short_at=case.load.ongoing)
    return replace(case, memory=short)


def _note_margin(case: Case) -> Case:
    """Remember growth for part of a replica: a little less load must not undo it."""
    if not 0 < case.proposed - case.wanted < 1:
        return case
    short = replace(case.memory, short_of=case.wanted, short_at=case.load.ongoing)
    return replace(case, memory=short)


def _desired(case: Case) -> int:
    """What the policy proposes, after factors, and what waiting calls ask for."""
    wanted, proposed, memory = case.wanted, case.proposed, case.memory
    number = math.ceil(proposed)
    if number > wanted:
        factor = case.config.get_upscaling_factor()
        number = math.ceil(wanted + (proposed - wanted) * factor)
    elif number < wanted:
        factor = case.config.get_downscaling_factor()
        number = math.ceil(wanted + (proposed - wanted) * factor)
        # A factor must not round every change away.
        number = max(min(number, wanted - 1), 0)
    if case.waits_too_long():
        more = max(1, wanted // 10) if case.load.running >= wanted else 0
        return max(number, wanted + more)
    if number <= memory.short_of and case.load.ongoing >= memory.short_at * _RELIEF > 0:
        return max(number, min(memory.short_of + 1, wanted))
    return number


def _rise(case: Case, desired: int) -> Decision:
    since = case.memory.rising_since
    since = case.now if since is None else since
    for_s, delay_s = case.now - since, case.config.upscale_delay_s
    if for_s >= delay_s:
        why = f"{desired} were wanted for {_seconds(for_s)}"
        memory = replace(_note_margin(case).memory.steady, last_up=case.now)
        return Decision(wanted=desired, rule=ScalingRule.UP, why=why, memory=memory)
    memory = replace(case.memory.steady, rising_since=since)
    why = f"{desired} are wanted; grows after {_seconds(delay_s)}"
    rule = ScalingRule.WAITS_UP
    return Decision(wanted=case.wanted, rule=rule, why=why, memory=memory)


def _fall(case: Case, desired: int) -> Decision:
    config, memory = case.config, case.memory
    if not case.load.is_whole:
        why = "fewer seem to do; counts once the period looked back on was seen in full"
        return _hold(case, why, ScalingRule.WAITS_DOWN)
    delay_s = config.downscale_delay_s
    # The last replica goes by itself, when nobody has called for its own time.
    step = max(desired, 1) if case.wanted > 1 else desired
    if step == 0:
        if not case.load.is_idle:
            why = "the last replica stays while there are calls"
            return _hold(case, why, ScalingRule.BUSY)
        if config.downscale_to_zero_delay_s is not None:
            delay_s = config.downscale_to_zero_delay_s
    since, highest = memory.falling_since, max(step, memory.falling_to)
    if since is None:
        since, highest = case.now, step
    for_s = case.now - since
    if for_s >= delay_s:
        why = f"no more than {highest} were wanted for {_seconds(for_s)}"
        memory = replace(memory.steady, last_down=case.now)
        return Decision(wanted=highest, rule=ScalingRule.DOWN, why=why, memory=memory)
    memory = replace(memory.steady, falling_since=since, falling_to=highest)
    why = f"{highest} are wanted; shrinks after {_seconds(delay_s)}"
    rule = ScalingRule.WAITS_DOWN
    return Decision(wanted=case.wanted, rule=rule, why=why, memory=memory)


def _hold(case: Case, why: str, rule: ScalingRule = ScalingRule.FITS) -> Decision:
    steady = case.memory.steady
    return Decision(wanted=case.wanted, rule=rule, why=why, memory=steady)


def _fits(case: Case) -> str:
    config, bounds = case.config, case.bounds
    is_full = case.wanted == bounds.most and case.waits_too_long()
    if case.proposed > bounds.most or is_full:
        at = "" if bounds.most == config.max_replicas else " at this target_capacity"
        return f"more are wanted, but max_replicas is {bounds.most}{at}"
    if math.ceil(case.proposed) < bounds.least:
        at = "" if bounds.least == config.min_replicas else " at this target_capacity"
        return f"no fewer than min_replicas, {bounds.least}{at}"
    return "as many as are wanted"


def _calls(count: int) -> str:
    return "1 call waits" if count == 1 else f"{count} calls wait"


def _seconds(value: float) -> str:
    return f"{value:.3g} s"
