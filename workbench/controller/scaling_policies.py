"""Policies that propose a number of replicas. Pure.

Called by `autoscaler`, with what a user declared as `policy_kwargs`; and by users'
own policies, which may build on them. A number need not be whole: factors, bounds and
delays are applied to it afterwards.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workbench.spec.autoscaling_context import AutoscalingContext

__all__ = ["BUILT_IN", "Proposal", "latency", "queue_length", "schedule"]

Proposal = tuple[float, dict[str, object]]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# At most so much more at once: latency does not say by how much there are too few.
_STEP_UP = 2.0
# Below this part of the target, one replica fewer may do.
_WELL_BELOW = 0.7
# Of the load for each replica with which the target was missed, what is tried again.
_TRY_AGAIN = 0.9


def queue_length(ctx: AutoscalingContext) -> Proposal:
    """As many as have `target_ongoing_requests` calls each. The default."""
    return ctx.total_num_requests / ctx.config.target_ongoing_requests, {}


def latency(
    ctx: AutoscalingContext, *, target_ms: float, percentile: int = 99
) -> Proposal:
    """As many as keep a percentile of the latency, waiting included, below a target.

    It remembers with how many calls for each replica the target was missed, and goes
    not so low again; so it does not try in turns a number that is too low.
    """
    now, calls = ctx.target_num_replicas, ctx.total_num_requests
    took_ms = ctx.latency_ms.get(f"p{percentile}")
    missed_at = _number(ctx.policy_state.get("missed_at"))
    if took_ms is None and not calls:
        return 0, dict(ctx.policy_state)
    measured_ms = (took_ms or 0.0) + ctx.oldest_queued_s * 1000
    if measured_ms > target_ms:
        if ctx.current_num_replicas < now:  # more are on their way
            return now, dict(ctx.policy_state)
        load = calls / max(now, 1)
        state: dict[str, object] = {"missed_at": load}
        return max(now, 1) * min(measured_ms / target_ms, _STEP_UP), state
    fewer = max(now - 1, 1)
    may_fit = not missed_at or calls / fewer < missed_at * _TRY_AGAIN
    if measured_ms < target_ms * _WELL_BELOW and may_fit:
        return fewer, dict(ctx.policy_state)
    return now, dict(ctx.policy_state)


def schedule(
    ctx: AutoscalingContext,
    *,
    times: Sequence[Mapping[str, object]],
    timezone: str = "UTC",
) -> Proposal:
    """As the default, but never fewer than a timetable says.

    Each of `times` is `{"from": "08:00", "to": "18:00", "replicas": 4}` and may have
    `"days": "mon-fri"` or `"sat,sun"`. A time that ends before it begins goes past
    midnight and belongs to the day on which it begins.
    """
    at = datetime.fromtimestamp(ctx.current_time, _zone(timezone))
    least = max((_planned(entry, at) for entry in times), default=0.0)
    return max(queue_length(ctx)[0], least), {}


BUILT_IN: dict[str, Callable[..., Proposal]] = {
    "default": queue_length,
    "latency": latency,
    "schedule": schedule,
}
"""By the names that `policy_function` may have."""


def _planned(entry: Mapping[str, object], at: datetime) -> float:
    """How many this line of the timetable asks for at that moment."""
    unknown = sorted(set(entry) - {"from", "to", "days", "replicas"})
    if unknown or not {"from", "to", "replicas"} <= set(entry):
        msg = f"A time has from, to, replicas and perhaps days; got {dict(entry)}."
        raise ValueError(msg)
    begin, end = _time(entry["from"]), _time(entry["to"])
    days, today, now = _days(str(entry.get("days", "mon-sun"))), at.weekday(), at.time()
    if begin < end:
        is_on = today in days and begin <= now < end
    else:
        yesterday = (today - 1) % len(_DAYS)
        is_on = (today in days and now >= begin) or (yesterday in days and now < end)
    return _number(entry["replicas"]) if is_on else 0.0


def _time(given: object) -> time:
    try:
        return time.fromisoformat(str(given))
    except ValueError:
        msg = f"A time of day is written 08:00; got {given!r}."
        raise ValueError(msg) from None


def _days(given: str) -> set[int]:
    found: set[int] = set()
    for part in given.lower().split(","):
        first, _, last = part.strip().partition("-")
        if first not in _DAYS or (last and last not in _DAYS):
            msg = f"Days are written mon-fri or sat,sun; got {given!r}."
            raise ValueError(msg)
        begin = _DAYS.index(first)
        count = (_DAYS.index(last or first) - begin) % len(_DAYS) + 1
        found |= {(begin + day) % len(_DAYS) for day in range(count)}
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        msg = f"There is no time zone {name!r}; for example Europe/Berlin."
        raise ValueError(msg) from None


def _number(given: object) -> float:
    if isinstance(given, int | float) and math.isfinite(given):
        return float(given)
    return 0.0
