"""Ray's driver for one instance: brings Ray and the controller up and waits.

Lives in the launcher's child. It holds no state: the controller is a detached actor
that Ray restarts, and everything about the instance can be asked of it.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
import traceback
from collections.abc import Awaitable
from pathlib import Path
from typing import NoReturn

from workbench.cluster.ray_start import (
    RayPlan,
    end_ray,
    prepare_environment,
    start_ray,
)
from workbench.cluster.vital import RayEndedError, keep_ray
from workbench.instance import InstanceFile
from workbench.launcher import RAY_SESSION, WHY_ENDED, LaunchPlan
from workbench.settings import process_environment
from workbench.spec.control import CONTROLLER_NAME, ControlConfig, Credentials

__all__ = ["run_host"]

# A controller that died is back after about 1.5 s; ask again this often meanwhile.
_ASK_AGAIN_S = 0.25
_SHUTDOWN_S = 10.0
_RAY_ENDED = 3


def run_host(plan: LaunchPlan) -> int:
    """Start everything, wait for the end, leave; returns the exit code."""
    reports = _Reports(plan.report_fd)
    ray_plan = RayPlan(
        address=plan.ray_address,
        # Ray opens its directory to everybody; the one around it lets nobody in.
        temp_dir=Path(plan.home) / RAY_SESSION,
        num_cpus=plan.num_cpus,
        num_gpus=plan.num_gpus,
        object_store_mb=plan.object_store_mb,
        token=plan.token,
    )
    try:
        prepare_environment(ray_plan, process_environment())
        reports.send(progress="starting Ray")
        ray_version = start_ray(ray_plan)
        what = "controller and proxy" if plan.http.has_proxy else "controller"
        reports.send(progress=f"starting {what}")
        asyncio.run(_keep(plan, ray_version, reports))
    except Exception:  # noqa: BLE001 - said to whoever started us, then over
        traceback.print_exc()
        # In full: the log is gone with the instance's directory.
        reports.send(error=f"The instance did not start.\n{traceback.format_exc()}")
        return 1
    finally:
        end_ray()
    return 0


class _Reports:
    """The pipe to whoever started the instance; they may be gone already."""

    def __init__(self, fd: int) -> None:
        self._file = os.fdopen(fd, "w")

    def send(self, **fields: object) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.write(json.dumps(fields) + "\n")
            self._file.flush()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()


async def _keep(plan: LaunchPlan, ray_version: str, reports: _Reports) -> None:
    """Serve; an embedded Ray is kept up meanwhile."""
    outages: asyncio.Queue[str] = asyncio.Queue()
    works = [_serve(plan, ray_version, reports, outages)]
    if plan.ray_address is None:
        works.append(keep_ray(outages.put_nowait))
    try:
        await _first(*works)
    except RayEndedError as error:
        # No thread that waits for Ray would return: the launcher clears up, all of it.
        _leave_at_once(plan, str(error))


def _leave_at_once(plan: LaunchPlan, why: str) -> NoReturn:
    Path(plan.home, WHY_ENDED).write_text(why)
    os._exit(_RAY_ENDED)


async def _serve(
    plan: LaunchPlan, ray_version: str, reports: _Reports, outages: asyncio.Queue[str]
) -> None:
    from workbench.cluster.ray_cluster import RayCluster  # noqa: PLC0415 - imports Ray
    from workbench.gateway.process import ControlProcess  # noqa: PLC0415 - as above

    asked_to_end = _on_sigterm()
    cluster = RayCluster()
    control = await cluster.find(CONTROLLER_NAME)
    if control is None:
        config = ControlConfig(
            id=plan.id,
            token=plan.token,
            home=plan.home,
            http=plan.http,
            spare_shells=plan.spare_shells,
            kept_versions=plan.kept_versions,
            ray_version=ray_version,
            launcher_pid=os.getppid(),
            is_embedded=plan.ray_address is None,
            grpc=plan.grpc,
            tracing=plan.tracing,
            saved_dir=plan.saved_dir,
            outages=plan.outages,
        )
        control = await cluster.start(
            ControlProcess, config, name=CONTROLLER_NAME, restarts=True
        )
    credentials = await control.call("credentials")
    if not isinstance(credentials, Credentials):
        msg = f"The controller answered {credentials!r} instead of its credentials."
        raise TypeError(msg)
    if credentials.error:
        reports.send(error=credentials.error, kind=credentials.error_type)
        return
    _announce(plan, credentials, reports)
    await _first(
        asked_to_end.wait(),
        _wait_for_shutdown(control),
        _tell_outages(control, outages),
    )
    # Also one that an earlier host of this instance has started.
    is_ours = credentials.token == plan.token
    if is_ours and plan.ray_address:
        # The cluster stays: take our processes out of it. An embedded one just ends.
        with contextlib.suppress(TimeoutError, ProcessLookupError):
            await asyncio.wait_for(control.call("shutdown"), _SHUTDOWN_S)
        await control.end()


def _on_sigterm() -> asyncio.Event:
    event = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, event.set)
    return event


def _announce(plan: LaunchPlan, found: Credentials, reports: _Reports) -> None:
    """Write the instance file and tell who waits that we are ready."""
    instance = InstanceFile(
        id=plan.id,
        url=found.url,
        token=found.token,
        pid=os.getppid(),
        is_kept=plan.owner_pid is None,
        home=plan.home,
        started_at=time.time(),
    )
    instance.write(Path(plan.runtime_dir))
    reports.send(ready=True, url=found.url, token=found.token)
    reports.close()


async def _wait_for_shutdown(control: object) -> None:
    await _call_until_answered(control, "wait_for_shutdown")


async def _tell_outages(control: object, outages: asyncio.Queue[str]) -> None:
    """Let the controller's status name what went wrong and was mended; never returns."""
    while True:
        await _call_until_answered(control, "tell_outage", await outages.get())


async def _call_until_answered(control: object, method: str, *args: object) -> None:
    from workbench.cluster.ray_cluster import Process  # noqa: PLC0415 - imports Ray

    assert isinstance(control, Process)
    while True:
        try:
            await control.call(method, *args)
        except ProcessLookupError:
            await asyncio.sleep(_ASK_AGAIN_S)
        else:
            return


async def _first(*waits: Awaitable[object]) -> None:
    """Return, or raise, as the first of them does; the others are cancelled."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()
