"""Load by wrk: how many requests a second are answered, and how soon."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SCRIPT = Path(__file__).with_name("post_json.lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one run of wrk saw."""

    rate: float
    """Answers a second."""
    p50_ms: float
    p99_ms: float
    failures: int


def post_json(
    url: str, *, connections: int, seconds: int, header: str | None = None
) -> Load:
    """Keep the connections busy with small JSON requests.

    One thread: the machine's cores are shared with what is measured.
    """
    if not shutil.which("wrk"):
        msg = "The benchmarks need wrk; on Debian and Ubuntu: apt-get install wrk"
        raise SystemExit(msg)
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT)]
    if header:
        options += ["-H", header]
    done = subprocess.run(
        ["wrk", *options, url], capture_output=True, text=True, check=True
    )
    line = next(row for row in done.stdout.splitlines() if row.startswith("RESULT"))
    requests, duration_us, p50_us, p99_us, failures = map(int, line.split()[1:])
    return Load(
        rate=requests / (duration_us / 1e6),
        p50_ms=p50_us / 1e3,
        p99_ms=p99_us / 1e3,
        failures=failures,
    )


def side_by_side(
    subjects: Mapping[str, Callable[[], Load]], rounds: int
) -> dict[str, Load]:
    """Measure the subjects in turn, again and again; the median of each figure.

    In turn, since a shared machine is faster in one minute than in the next: ratios
    inside one run mean more than its absolute figures.
    """
    for warm_up in subjects.values():
        warm_up()
    seen: dict[str, list[Load]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, measure in subjects.items():
            seen[name].append(measure())
    return {name: _typical(loads) for name, loads in seen.items()}


def _typical(loads: list[Load]) -> Load:
    return Load(
        rate=median(load.rate for load in loads),
        p50_ms=median(load.p50_ms for load in loads),
        p99_ms=median(load.p99_ms for load in loads),
        failures=sum(load.failures for load in loads),
    )
