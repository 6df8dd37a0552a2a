"""A deployment under so many requests a second, scaled by the pure core alone.

Used by `test_autoscale_loads` and by `tests.bench.autoscaling`. Requests are a fluid
here: they come, wait in a queue, and take `SERVICE_S` each in one of a replica's slots.
"""

import math
import operator
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from workbench.controller.scaler import Autoscaled, Scaler
from workbench.controller.scaling_policies import BUILT_IN
from workbench.controller.signals import Signal
from workbench.spec.autoscaling import AutoscalingConfig, ScalingRecord
from workbench.spec.capacity import bounds_at

BEAT_S = 0.5
SERVICE_S = 0.2
SLOTS = 5
"""Calls that a replica runs at a time."""
START_S = 1.5
"""From the decision until a replica serves."""
_LONGEST_LAG = 240
_TRACE = Path(__file__).parents[2] / "traces" / "day.txt"


def _step() -> list[float]:
    return [10.0] * 60 + [100.0] * 300


def _spike() -> list[float]:
    return [20.0] * 60 + [200.0] * 10 + [20.0] * 230


def _sine() -> list[float]:
    return [60 + 50 * math.sin(2 * math.pi * second / 240) for second in range(960)]


def _day() -> list[float]:
    lines = _TRACE.read_text().splitlines()
    numbers = " ".join(line for line in lines if not line.startswith("#"))
    return [float(each) for each in numbers.split()]


LOADS = {"step": _step(), "spike": _spike(), "sine": _sine(), "day": _day()}
"""Requests a second, one number for each second."""


class Plant:
    """Replicas that start late and serve at their pace; calls wait in order."""

    def __init__(self, replicas: int) -> None:
        self._ready_at = [0.0] * replicas
        self._waiting: deque[tuple[float, float]] = deque()
        """When they came, and how many."""

    def resize(self, wanted: int, now: float) -> int:
        """Start or stop some; how many serve by now."""
        more = [now + START_S] * (wanted - len(self._ready_at))
        self._ready_at = [*self._ready_at, *more][:wanted]
        return sum(at <= now for at in self._ready_at)

    def serve(self, arrived: float, running: int, now: float) -> Signal:
        """Pass one beat; what is seen of it."""
        if arrived:
            self._waiting.append((now, arrived))
        room = running * SLOTS * BEAT_S / SERVICE_S
        waited_s = served = 0.0
        while self._waiting and served < room:
            came, count = self._waiting.popleft()
            taken = min(count, room - served)
            waited_s, served = now - came, served + taken
            if taken < count:
                self._waiting.appendleft((came, count - taken))
        took_ms = 1000 * (SERVICE_S + waited_s)
        return Signal(
            queued=round(sum(count for _, count in self._waiting)),
            in_flight=round(served * SERVICE_S / BEAT_S),
            ended=round(served),
            oldest_queued_s=now - self._waiting[0][0] if self._waiting else 0.0,
            latency_ms=dict.fromkeys(("p50", "p95", "p99"), took_ms) if served else {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How it went, beat by beat."""

    ideal: list[int]
    """What would just do for the load of that moment, by `target_ongoing_requests`."""
    wanted: list[int]
    running: list[int]
    oldest_s: list[float]
    """How long the call has waited that has waited longest."""
    records: list[ScalingRecord]

    @property
    def changes(self) -> int:
        """How often the number changed."""
        return sum(a != b for a, b in pairwise(self.wanted))

    @property
    def turns(self) -> int:
        """How often growth became decline, or the reverse."""
        steps = [b - a for a, b in pairwise(self.wanted) if a != b]
        return sum((a > 0) != (b > 0) for a, b in pairwise(steps))

    @property
    def quickest_turn_s(self) -> float:
        """The shortest time from a decline to the growth after it."""
        fell_at, shortest = -math.inf, math.inf
        for beat, (before, after) in enumerate(pairwise(self.wanted)):
            if after < before:
                fell_at = beat
            elif after > before:
                shortest = min(shortest, (beat - fell_at) * BEAT_S)
        return shortest

    @property
    def lag_s(self) -> float:
        """As many as were needed for so long at a stretch are there, but no sooner."""
        beats = range(len(self.ideal))
        for lag in beats[:_LONGEST_LAG]:
            needed = [min(self.ideal[beat - lag : beat + 1]) for beat in beats[lag:]]
            if all(map(operator.ge, self.running[lag:], needed)):
                return lag * BEAT_S
        return math.inf

    @property
    def over(self) -> float:
        """Replicas too many, as a part of those that were needed."""
        pairs = zip(self.running, self.ideal, strict=True)
        return sum(max(0, have - need) for have, need in pairs) / sum(self.ideal)

    @property
    def under(self) -> float:
        """Replicas too few, as a part of those that were needed."""
        pairs = zip(self.running, self.ideal, strict=True)
        return sum(max(0, need - have) for have, need in pairs) / sum(self.ideal)


def simulate(config: AutoscalingConfig, rates: Sequence[float]) -> Course:
    """Scale a deployment under this load by a policy of ours."""
    scaler, plant = Scaler(), Plant(config.first)
    it = Autoscaled(app="a", deployment="d", config=config, wanted=config.first)
    found = Course(ideal=[], wanted=[], running=[], oldest_s=[], records=[])
    policy = config.policy
    propose = BUILT_IN[str(policy.policy_function)]
    for beat in range(round(len(rates) / BEAT_S)):
        now, rate = beat * BEAT_S, rates[int(beat * BEAT_S)]
        running = plant.resize(it.wanted, now)
        signal = plant.serve(rate * BEAT_S, running, now)
        it = replace(it, running=tuple(map(str, range(running))))
        scaler.see(it, signal, now)
        context = scaler.context(it, now)
        proposed, scaler.state = propose(context, **policy.policy_kwargs)
        it = replace(it, wanted=scaler.conclude(it, proposed, now))
        found.ideal.append(ideal(config, rate))
        found.wanted.append(it.wanted)
        found.running.append(running)
        found.oldest_s.append(signal.oldest_queued_s)
    return replace(found, records=list(scaler.records))


def ideal(config: AutoscalingConfig, rate: float) -> int:
    """Replicas that just do for so many requests a second."""
    bounds = bounds_at(config, None, is_growing=False)
    return bounds.clamp(math.ceil(rate * SERVICE_S / config.target_ongoing_requests))
