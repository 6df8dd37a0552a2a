"""Ray's own processes of an embedded instance: noticing their end, starting the GCS anew.

Used by the host, whose children they are. The GCS keeps what it knows in files
(rocksdb), so another one goes on where it ended; raylet, workers and drivers wait for
it for up to a minute. A raylet cannot be replaced: its end is the end of the node.
"""

import asyncio
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from workbench.spec.restarts import Restarts

__all__ = ["RayEndedError", "keep_ray", "why_ended"]

_log = logging.getLogger("workbench.host")

_POLL_S = 0.1


class RayEndedError(Exception):
    """Ray cannot go on; everything has to be started anew."""


async def keep_ray(on_restart: Callable[[str], None]) -> None:
    """Start the GCS again whenever it ends, telling `on_restart` why and when.

    Raises:
        RayEndedError: the raylet has ended, or the GCS cannot be kept.
    """
    tasks = [
        asyncio.ensure_future(work)
        for work in (_keep_gcs(on_restart), _wait_for_raylet())
    ]
    try:
        await next(asyncio.as_completed(tasks))
    finally:
        for task in tasks:
            task.cancel()


async def _wait_for_raylet() -> None:
    raylet = _processes()["raylet"][0].process
    await _wait_for_end(raylet)
    msg = f"Ray's raylet, and with it this node, {why_ended(raylet.returncode)}"
    raise RayEndedError(msg)


async def _keep_gcs(on_restart: Callable[[str], None]) -> None:
    restarts = Restarts()
    while True:
        found = _processes()["gcs_server"][0]
        await _wait_for_end(found.process)
        why = f"Ray's GCS {why_ended(found.process.returncode)}"
        now = time.monotonic()
        pause_s = restarts.pause_s(now)
        if pause_s is None or not _is_stored():
            raise RayEndedError(why)
        restarts = restarts.add(now)
        await asyncio.sleep(pause_s)
        _log.warning("%s; starting it again", why)
        _processes()["gcs_server"][0] = found._replace(process=_start_again(found))
        on_restart(f"{why}; it was started again.")


def _start_again(found: Any) -> subprocess.Popen[bytes]:
    """The very same command, but on the port that the first one chose."""
    port = _node().gcs_address.rpartition(":")[2]
    command = [
        f"--gcs_server_port={port}" if part.startswith("--gcs_server_port=") else part
        for part in found.process.args
    ]
    return subprocess.Popen(  # noqa: S603 - Ray's own command
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _is_stored() -> bool:
    """Whether another GCS would know what this one knew."""
    return bool(_node()._is_rocksdb_gcs())  # noqa: SLF001 - Ray has no public name for it


def _processes() -> Any:
    return _node().all_processes


def _node() -> Any:
    from ray._private import worker  # noqa: PLC0415 - after `prepare_environment`

    return worker._global_node  # noqa: SLF001 - as above


async def _wait_for_end(process: subprocess.Popen[bytes]) -> None:
    """Return once it has ended and is reaped: at once where the kernel tells."""
    try:
        fd = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        while process.poll() is None:  # noqa: ASYNC110 - nobody tells of it here
            await asyncio.sleep(_POLL_S)
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    process.wait()


def why_ended(code: int) -> str:
    """In words: by itself, or by which signal."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was ended by {name}"
