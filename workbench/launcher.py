"""The process that owns an instance: starts it, watches it, and clears up after it.

Run as `python -m workbench.launcher` by `workbench.client`, in a session of its own,
so that an interrupted notebook cell does not reach it. It never imports Ray: a child
(`workbench.host`) is Ray's driver. The launcher adopts every orphan that the instance
leaves (PR_SET_CHILD_SUBREAPER), so when the end comes it finds all of them among its
descendants and ends them by their ids.

The end comes when the host leaves in good order (after a shutdown by command), when the
owner is gone (instances that end with a script), or on SIGTERM. A host that ends in any
other way, because Ray has ended or it was killed, is started again, and with it
everything: what was deployed is in the saved files, and comes back by itself.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from workbench.instance import InstanceFile, path_of
from workbench.spec.grpc import GrpcSpec
from workbench.spec.http import HTTPOptions
from workbench.spec.restarts import Restarts
from workbench.spec.tracing import TracingSpec

__all__ = ["RAY_SESSION", "SOCKETS", "WHY_ENDED", "LaunchPlan", "descendants", "main"]

# Below an instance's home: Ray's own files, our sockets, and why the host had to leave.
RAY_SESSION = "r"
SOCKETS = "s"
WHY_ENDED = "why-ended"

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
    saved_dir: str
    """Where what is deployed is saved; it outlives an instance that is kept."""
    grpc: GrpcSpec | None = None
    tracing: TracingSpec | None = None
    outages: tuple[str, ...] = ()
    """What ended everything before this start of it, newest last."""

    def dump(self) -> str:
        """The input for `main`."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "LaunchPlan":
        """Read what `dump` wrote."""
        fields = json.loads(text)
        grpc = None if fields["grpc"] is None else GrpcSpec.load(fields["grpc"])
        http = HTTPOptions(**fields["http"])
        tracing = None if (given := fields["tracing"]) is None else TracingSpec(**given)
        read = {"http": http, "grpc": grpc, "tracing": tracing}
        return cls(**{**fields, **read, "outages": tuple(fields["outages"])})


def main() -> None:
    """Run one instance from start to end."""
    plan = LaunchPlan.load(sys.stdin.read())
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    stop = _StopSignal()
    _hold(Path(plan.saved_dir))
    try:
        _keep_up(plan, stop)
    finally:
        _enddescendants()
        _clear(plan)


def _keep_up(plan: LaunchPlan, stop: "_StopSignal") -> None:
    """Run the host, and another one whenever it ends that should not have."""
    restarts = Restarts()
    while (why := _run_host(plan, stop)) and _instance_file(plan).exists():
        now = time.monotonic()
        pause_s = restarts.pause_s(now)
        if pause_s is None:
            print(f"{why}, again and again; giving up", flush=True)  # noqa: T201 - the log
            return
        restarts = restarts.add(now)
        outage = f"{time.strftime('%H:%M:%S')}: {why}; everything was started again."
        _name_outage(plan, why)
        _enddescendants()
        _clear_ray(plan)
        stop.is_set = stop.is_set or _is_over_within(pause_s, plan.owner_pid, stop)
        outages = (*plan.outages[-2:], outage)
        plan = replace(
            plan, report_fd=os.open(os.devnull, os.O_WRONLY), outages=outages
        )


def _run_host(plan: LaunchPlan, stop: "_StopSignal") -> str:
    """Run it to its end; returns why it should be run again, or nothing."""
    if stop.is_set:
        return ""
    host = os.fork()
    if host == 0:
        _become_host(plan)
    os.close(plan.report_fd)
    code = _watch(host, plan.owner_pid, stop)
    if code is None:
        _end(host)
        return ""
    return _why_ended(plan, code) if code else ""


def _why_ended(plan: LaunchPlan, code: int) -> str:
    note = Path(plan.home, WHY_ENDED)
    with contextlib.suppress(OSError):
        why = note.read_text()
        note.unlink()
        return why
    how = f"ended with code {code}" if code > 0 else f"was killed by signal {-code}"
    return f"The instance's host process {how}"


def _name_outage(plan: LaunchPlan, why: str) -> None:
    """Whoever finds the instance's file is told why it does not answer."""
    print(f"{why}; starting everything again", flush=True)  # noqa: T201 - the log
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = InstanceFile.read(_instance_file(plan))
        replace(found, trouble=why).write(Path(plan.runtime_dir))


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


def _watch(host: int, owner_pid: int | None, stop: _StopSignal) -> int | None:
    """The host's exit code once it has ended; None when it should."""
    owner = _open_pidfd(owner_pid)
    try:
        while not stop.is_set and (code := _exit_code(host)) is None:
            if _is_gone(owner_pid, owner, _POLL_S):
                return None
        return None if stop.is_set else code
    finally:
        if owner is not None:
            os.close(owner)


def _is_over_within(pause_s: float, owner_pid: int | None, stop: _StopSignal) -> bool:
    """Wait; True as soon as the instance should end."""
    until = time.monotonic() + pause_s
    while (left := until - time.monotonic()) > 0:
        if stop.is_set or _is_gone(owner_pid, None, min(left, _POLL_S)):
            return True
    return stop.is_set


def _is_gone(owner_pid: int | None, owner: int | None, patience_s: float) -> bool:
    """Wait a moment; True if there is an owner and it has ended."""
    if owner is not None:
        return bool(select.select([owner], [], [], patience_s)[0])
    select.select([], [], [], patience_s)
    return owner_pid is not None and not Path(f"/proc/{owner_pid}").exists()


def _open_pidfd(pid: int | None) -> int | None:
    """A descriptor that becomes readable when the process ends (Linux)."""
    if pid is None:
        return None
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _exit_code(pid: int) -> int | None:
    """Reap what ended; the exit code of `pid` once it is among it (1: was before)."""
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 1
        if ended == pid:
            return os.waitstatus_to_exitcode(status)
        if ended == 0:
            return None


def _end(host: int) -> None:
    """Let the host leave in good order, else kill it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(host, signal.SIGTERM)
    for _ in range(int(_GRACE_S / _POLL_S)):
        if _exit_code(host) is not None:
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
        _exit_code(-1)
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
    """Remove the instance's files, but what it saved for a later one."""
    _instance_file(plan).unlink(missing_ok=True)
    shutil.rmtree(plan.home, ignore_errors=True)
    from workbench.controller.restore import drop_unused  # noqa: PLC0415 - at the end

    drop_unused(Path(plan.saved_dir))


def _clear_ray(plan: LaunchPlan) -> None:
    """Remove what a Ray that has ended left; another one makes its own."""
    for name in (RAY_SESSION, SOCKETS):
        shutil.rmtree(Path(plan.home, name), ignore_errors=True)


def _hold(directory: Path) -> None:
    """Mark the saved files as those of an instance that runs, until this process ends."""
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fcntl.flock(os.open(directory, os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB)


def _instance_file(plan: LaunchPlan) -> Path:
    return path_of(Path(plan.runtime_dir), plan.id)


def _prctl(option: int, value: int) -> None:
    """Linux process control; other systems go without."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
