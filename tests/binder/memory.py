"""How much memory a group of processes takes, watched while they run."""

import os
import re
import signal
import threading
from pathlib import Path
from typing import Self

from tests.demo import running_with

_PERIOD_S = 0.25
_SHARE = re.compile(rb"^Pss:\s+(\d+) kB$", re.MULTILINE)


class MemoryWatch:
    """Sums up what all processes use whose environment names a directory.

    Each process counts with its proportional share (PSS): a page that five processes
    share counts a fifth in each. That is what a container is charged, and a little
    more: pages of program files count too, which a kernel in need would drop.

    A container over its limit loses processes. Here all of them are ended, so that no
    figure above the limit can pass for a success.
    """

    def __init__(self, marker: Path, limit_mb: float) -> None:
        self._marker = str(marker)
        self._limit_mb = limit_mb
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.now_mb = 0.0
        self.peak_mb = 0.0
        self.at_peak: dict[str, float] = {}
        """Megabytes of each command when most was used."""
        self.is_over = False
        self.rounds = 0
        """How often it has looked."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def forget_peak(self) -> None:
        """Begin a new measurement."""
        self.peak_mb, self.at_peak = 0.0, {}

    def _watch(self) -> None:
        while not self._done.wait(_PERIOD_S):
            found = running_with(self._marker)
            shares = {pid: share_mb(pid) for pid in found}
            self.now_mb = sum(shares.values())
            self.rounds += 1
            if self.now_mb > self.peak_mb:
                self.peak_mb = self.now_mb
                self.at_peak = {f"{found[pid]} ({pid})": shares[pid] for pid in found}
            if self.now_mb > self._limit_mb:
                self.is_over = True
                end_all(found)


def share_mb(pid: int) -> float:
    """A process's share of the memory in use; 0 if it has ended."""
    try:
        found = _SHARE.search(Path(f"/proc/{pid}/smaps_rollup").read_bytes())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def end_all(pids: dict[int, str]) -> None:
    """As a kernel without memory does."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
