"""The process that owns an instance: starts it, watches it, and clears up after it.

Run as `python -m workbench.launcher` by `workbench.client`, in a session of its own,
so that an interrupted notebook cell does not reach it. It never imports Ray: a child
(`workbench.host`) is Ray's driver. The launcher adopts every orphan that the instance
leaves (PR_SET_CHILD_SUBREAPER), so when the end comes it finds all of them among its
descendants and ends them by their ids.

The end comes when the host leaves (after a shutdown by command, or a crash), when the
owner is gone (instances that end with a script), or on SIGTERM.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.spec.grpc import GrpcSpec
from workbench.spec.http import HTTPOptions

__all__ = ["LaunchPlan", "descendants", "main"]

_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_PDEATHSIG = 1
# How long the host may take to leave in good order before it is killed.
_GRACE_S = 15.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """Everything the launcher is told, as JSON on its standard input."""

    id: str
    token: str
    owner_pid: int | None
    """End with this process; None keeps the instance until it is told to end."""
    ray_address: str | None
    num_cpus: int
    num_gpus: int | None = None
    """None: those there are."""
    object_store_mb: int
    spare_shells: int
    kept_versions: int
    http: HTTPOptions
    home: str
    """Directory of sockets, Ray's session and the log; removed at the end."""
    runtime_dir: str
    report_fd: int
    """Where progress goes: JSON lines with `progress`, `ready` or `error`."""
    grpc: GrpcSpec | None = None

    def dump(self) -> str:
        """The input for `main`."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "LaunchPlan":
        """Read what `dump` wrote."""
        fields = json.loads(text)
        grpc = None if fields["grpc"] is None else GrpcSpec.load(fields["grpc"])
        http = HTTPOptions(**fields["http"])
        return cls(**{**fields, "http": http, "grpc": grpc})


def main() -> None:
    """Run one instance from start to end."""
    plan = LaunchPlan.load(sys.stdin.read())
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    stop = _StopSignal()
    host = os.fork()
    if host == 0:
        _become_host(plan)
    os.close(plan.report_fd)
    try:
        _watch(host, plan.owner_pid, stop)
        _end(host)
    finally:
        _enddescendants()
        _clear(plan)


class _StopSignal:
    """Remembers that somebody asked us to end."""

    def __init__(self) -> None:
        self.is_set = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: object) -> None:
        self.is_set = True


def _become_host(plan: LaunchPlan) -> None:
    """The child's life; never returns."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    code = 1
    try:
        from workbench.host import run_host  # noqa: PLC0415 - imports Ray: child only

        code = run_host(plan)
    finally:
        # Not sys.exit: the launcher's own clean-up must not run in the child.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _watch(host: int, owner_pid: int | None, stop: _StopSignal) -> None:
    """Return when the instance should end."""
    owner = _open_pidfd(owner_pid)
    while not stop.is_set and not _is_over(host):
        if owner is not None:
            if select.select([owner], [], [], _POLL_S)[0]:
                return
            continue
        if owner_pid is not None and not Path(f"/proc/{owner_pid}").exists():
            return
        select.select([], [], [], _POLL_S)


def _open_pidfd(pid: int | None) -> int | None:
    """A descriptor that becomes readable when the process ends (Linux)."""
    if pid is None:
        return None
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _is_over(pid: int) -> bool:
    """Reap what ended; True once `pid` is among it or gone."""
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if ended == pid:
            return True
        if ended == 0:
            return False


def _end(host: int) -> None:
    """Let the host leave in good order, else kill it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(host, signal.SIGTERM)
    for _ in range(int(_GRACE_S / _POLL_S)):
        if _is_over(host):
            return
        select.select([], [], [], _POLL_S)
    with contextlib.suppress(ProcessLookupError):
        os.kill(host, signal.SIGKILL)


def _enddescendants() -> None:
    """Kill what is left below us until nothing is."""
    for _ in range(int(_GRACE_S / _POLL_S)):
        left = descendants(os.getpid())
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _is_over(-1)
        select.select([], [], [], _POLL_S / 4)


def descendants(root: int) -> list[int]:
    """Living processes below `root`, by the parent ids in /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            # The name in parentheses may hold spaces: read behind the last one.
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(entry.parent.name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _clear(plan: LaunchPlan) -> None:
    """Remove the instance's files."""
    Path(plan.runtime_dir, f"workbench-{plan.id}.json").unlink(missing_ok=True)
    shutil.rmtree(plan.home, ignore_errors=True)


def _prctl(option: int, value: int) -> None:
    """Linux process control; other systems go without."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
