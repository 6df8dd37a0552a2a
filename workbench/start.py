"""Starting an instance from a front end: run the launcher, wait until it is ready."""

import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from workbench import errors
from workbench.controller.restore import Saved, copy_saved, save_door
from workbench.instance import home_name
from workbench.launcher import LaunchPlan
from workbench.settings import Settings, new_token
from workbench.spec.grpc import GrpcSpec
from workbench.spec.http import HTTPOptions
from workbench.spec.tracing import TracingSpec

__all__ = ["Started", "start_instance"]

# Unix socket paths end at 107 bytes on Linux, 103 on macOS: stay close to the root.
_SHORT_TEMP = Path("/tmp")  # noqa: S108 - a directory of our own, mode 0700, inside
_LOG_TAIL_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """How to reach the instance that was started."""

    url: str
    token: str


def start_instance(  # noqa: PLR0913 - one keyword per thing a front end may say
    settings: Settings,
    *,
    http: HTTPOptions,
    grpc: GrpcSpec | None = None,
    tracing: TracingSpec | None = None,
    keep: bool,
    ray_address: str | None = None,
    saved: Saved | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Started:
    """Start an instance and wait until it answers.

    With `keep` it outlives this process, else it ends with it. With `saved` it begins
    with the applications of an earlier one.

    Raises:
        StartError: it did not come up; the message holds the end of its log.
        PortBusyError: the HTTP port asked for by number is taken.
    """
    instance_id = secrets.token_hex(4)
    home = _make_home(instance_id)
    saved_dir = settings.state_dir / instance_id if keep else home / "saved"
    if saved is not None:
        copy_saved(saved, saved_dir, http=http)
    save_door(saved_dir, http, grpc, settings.state_dir)
    read_end, write_end = os.pipe()
    plan = LaunchPlan(
        id=instance_id,
        token=new_token(),
        owner_pid=None if keep else os.getpid(),
        ray_address=ray_address,
        num_cpus=settings.num_cpus,
        num_gpus=settings.num_gpus,
        object_store_mb=settings.object_store_mb,
        spare_shells=settings.spare_shells,
        kept_versions=settings.kept_versions,
        http=http,
        grpc=grpc,
        tracing=tracing and replace(tracing, directory=str(home / "spans")),
        home=str(home),
        runtime_dir=str(settings.runtime_dir),
        saved_dir=str(saved_dir),
        report_fd=write_end,
    )
    log = home / "launcher.log"
    with log.open("wb") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "workbench.launcher"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[write_end],
            start_new_session=True,
        )
    os.close(write_end)
    assert launcher.stdin is not None
    with launcher.stdin as plans:  # not as an argument: others can read those
        plans.write(plan.dump().encode())
    # Its end is taken note of, so that it does not stay as a zombie of this process.
    threading.Thread(target=launcher.wait, daemon=True).start()
    try:
        return _wait_until_ready(read_end, settings.start_timeout_s, on_progress, log)
    except BaseException:
        launcher.terminate()
        raise
    finally:
        os.close(read_end)


def _make_home(instance_id: str) -> Path:
    parent = _SHORT_TEMP if _SHORT_TEMP.is_dir() else Path(tempfile.gettempdir())
    home = parent / home_name(instance_id)
    home.mkdir(mode=0o700)
    return home


def _wait_until_ready(
    pipe: int, timeout_s: float, on_progress: Callable[[str], None], log: Path
) -> Started:
    deadline = time.monotonic() + timeout_s
    text = b""
    while (left := deadline - time.monotonic()) > 0:
        # Short waits, so that an interrupt is heard.
        if not select.select([pipe], [], [], min(left, 0.2))[0]:
            continue
        piece = os.read(pipe, 65536)
        if not piece:
            raise errors.StartError("The instance ended while starting." + _tail(log))
        *lines, text = (text + piece).split(b"\n")
        for line in lines:
            if (started := _read_report(json.loads(line), on_progress)) is not None:
                return started
    msg = f"The instance was not ready after {timeout_s:g} s." + _tail(log)
    hint = "Set WORKBENCH_START_TIMEOUT_S higher if this machine is slow."
    raise errors.StartError(msg, hint)


def _read_report(
    report: dict[str, str], on_progress: Callable[[str], None]
) -> Started | None:
    if "progress" in report:
        on_progress(report["progress"])
    elif "error" in report:
        kind = getattr(errors, report.get("kind") or "", errors.StartError)
        raise kind(report["error"])
    elif "ready" in report:
        return Started(url=report["url"], token=report["token"])
    return None


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(["", f"End of {log}:", *lines[-_LOG_TAIL_LINES:]])
