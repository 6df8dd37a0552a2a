"""What this process uses: processor time and memory; and what memory is left."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["CpuMeter", "free_bytes", "resident_bytes"]

_STATM: Final = Path("/proc/self/statm")
_MEMINFO: Final = Path("/proc/meminfo")
# Limit and use of the group that a container is (cgroup v2, v1).
_GROUPS: Final = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


class CpuMeter:
    """How many cores this process keeps busy, over the time between two readings."""

    def __init__(self) -> None:
        self._at = time.perf_counter()
        self._used_s = time.process_time()

    def read(self) -> float:
        """Processor time of all threads ÷ time, since the last reading."""
        at, used_s = time.perf_counter(), time.process_time()
        took_s = at - self._at
        cores = (used_s - self._used_s) / took_s if took_s > 0 else 0.0
        self._at, self._used_s = at, used_s
        return cores


def resident_bytes() -> int:
    """Memory of this process that is in RAM now; where only the peak is known, that."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return _peak_bytes()
    return pages * os.sysconf("SC_PAGESIZE")


def free_bytes() -> int | None:
    """Memory that can still be had here; None where nothing tells."""
    free = []
    with suppress(OSError, ValueError, StopIteration):
        lines = _MEMINFO.read_text().splitlines()
        line = next(each for each in lines if each.startswith("MemAvailable:"))
        free.append(int(line.split()[1]) * 1024)
    for limit, used in _GROUPS:
        with suppress(OSError, ValueError):  # no limit is the word "max"
            free.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
    return max(0, min(free)) if free else None


def _peak_bytes() -> int:
    import resource  # noqa: PLC0415 - no Windows has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
