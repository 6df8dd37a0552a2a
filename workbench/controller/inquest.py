"""Why a replica's process ended, in words for its owner.

Called by `work` with what Ray says, which is that a connection broke. The last words of
the process (`replica.last_words`) name crashes in C code and `os._exit`; a counter of the
kernel tells whether it killed for lack of memory.
"""

import re
from contextlib import suppress
from pathlib import Path

__all__ = ["Inquest", "explain_death"]

_FATAL = "Fatal Python error: "
_MEMORY_WORDS = ("OutOfMemory", "OUT_OF_MEMORY", "low on memory")
# The group of processes that we are in (cgroup v2, v1), else the whole machine.
_OOM_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),
    Path("/sys/fs/cgroup/memory/memory.oom_control"),
    Path("/proc/vmstat"),
)


def explain_death(ray_says: str, last_words: str, *, was_oom: bool) -> str:
    """The cause. Pure; `was_oom`: the kernel has just killed for lack of memory."""
    if last_words.startswith(_FATAL):
        fault, _, place = last_words.removeprefix(_FATAL).partition("\n")
        return f"{fault} (a crash in C code), at\n{_outermost_first(place)}"
    if last_words:
        return last_words.rstrip()
    if any(word in ray_says for word in _MEMORY_WORDS):
        return f"out of memory, ended by Ray's memory monitor: {ray_says}"
    if was_oom:
        return (
            "out of memory, killed by the kernel. Let it hold less at a time "
            "(max_ongoing_requests, batch size), or run fewer replicas on this host."
        )
    if "connection error" in ray_says:
        return "killed (SIGKILL), or ended by C code without a word"
    return ray_says


class Inquest:
    """Asks what processes of this host left behind, and clears it away."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._oom_kills = _count_oom_kills()

    def hold(self, shell_id: str, ray_says: str) -> str:
        """The cause of a death, just after it."""
        before, self._oom_kills = self._oom_kills, _count_oom_kills()
        left = self._directory / f"{shell_id}.last"
        words = ""
        with suppress(OSError):  # a process of another host
            words = left.read_text(errors="replace")
        for each in (left, left.with_suffix(".sock")):
            with suppress(OSError):
                each.unlink()
        return explain_death(ray_says, words, was_oom=self._oom_kills > before)


def _count_oom_kills() -> int:
    for path in _OOM_COUNTERS:
        with suppress(OSError):
            if found := re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE):
                return int(found[1])
    return 0


def _outermost_first(text: str) -> str:
    """The fault handler's frames, in the order of a traceback."""
    lines = [line for line in text.splitlines() if line.lstrip().startswith("File ")]
    return "\n".join(reversed(lines)) or "  (nowhere in Python code)"
