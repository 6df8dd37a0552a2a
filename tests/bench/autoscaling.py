"""What autoscaling makes of a step, a spike, a sine and the trace of a day; simulated.

The pure core alone: no Ray, no processes, no real time. Each load is scaled with short
delays and with Ray Serve's defaults, and drawn against what would just do.
"""

import itertools
from collections.abc import Sequence

from tests.bench.report import publish
from tests.unit.controller.simulated import BEAT_S, LOADS, Course, simulate
from workbench.spec.autoscaling import AutoscalingConfig

_MAX = 20
CONFIGS = {
    "short delays": AutoscalingConfig(
        max_replicas=_MAX,
        look_back_period_s=10.0,
        upscale_delay_s=3.0,
        downscale_delay_s=60.0,
    ),
    "defaults": AutoscalingConfig(max_replicas=_MAX),
}
_WIDTH = 72
_HEIGHT = 10


def row(load: str, config: str, course: Course) -> dict[str, object]:
    """How well it went, in figures."""
    return {
        "load": load,
        "delays": config,
        "changes": course.changes,
        "turns": course.turns,
        "late by: s": course.lag_s,
        "too few: %": round(100 * course.under, 1),
        "too many: %": round(100 * course.over, 1),
        "longest wait of a call: s": max(course.oldest_s),
    }


def draw(course: Course) -> str:
    """Replicas over time: █ runs and is needed, ░ runs beyond that, · is missing."""
    have, need = _columns(course.running), _columns(course.ideal)
    top = max(*have, *need)
    lines = []
    for step in range(_HEIGHT, 0, -1):
        level = top * (step - 0.5) / _HEIGHT
        pairs = zip(have, need, strict=True)
        cells = "".join(_cell(is_at >= level, at >= level) for is_at, at in pairs)
        label = f"{top * step / _HEIGHT:>4.0f} " if step in {1, _HEIGHT} else " " * 5
        lines.append((label + cells).rstrip())
    seconds = len(course.running) * BEAT_S
    return "\n".join([*lines, f"     0 s{f'{seconds:,.0f} s':>{_WIDTH - 3}}"])


def _cell(is_there: bool, is_needed: bool) -> str:
    if is_there:
        return "█" if is_needed else "░"
    return "·" if is_needed else " "


def _columns(numbers: Sequence[int]) -> list[float]:
    """The mean of each of so many stretches."""
    edges = [round(nth * len(numbers) / _WIDTH) for nth in range(_WIDTH + 1)]
    pairs = itertools.pairwise(edges)
    return [sum(numbers[begin:end]) / (end - begin) for begin, end in pairs]


def main() -> None:
    """Simulate, print, draw."""
    rows, drawn = [], []
    for load, rates in LOADS.items():
        for name, config in CONFIGS.items():
            course = simulate(config, rates)
            rows.append(row(load, name, course))
            drawn.append(f"{load}, {name}:\n{draw(course)}")
    publish(
        "autoscaling",
        rows,
        notes="Late by: what was needed for longer at a stretch was there. Too few, too "
        "many: of the replicas that were needed.\n"
        "█ runs and is needed, ░ runs beyond that, · is missing.\n\n"
        + "\n\n".join(drawn),
    )


if __name__ == "__main__":
    main()
