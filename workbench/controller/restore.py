"""What an earlier instance saved: finding it, reading it whole, copying it for another.

Used by whoever starts an instance, before anything runs: what cannot be brought back
is refused at once. Nothing here changes or deletes what is restored from.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from workbench.controller.checkpoint import Checkpoint, CheckpointStore
from workbench.controller.saved import SavedFiles
from workbench.errors import SavedStateError
from workbench.spec.grpc import GrpcSpec
from workbench.spec.http import HTTPOptions

__all__ = [
    "Saved",
    "copy_saved",
    "drop_unused",
    "find_saved",
    "read_saved",
    "save_door",
]

_CHECKPOINT = "checkpoint"
_DOOR = "door"
# Directories of ended instances that stay; each is as large as the code deployed.
_KEPT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What can be brought back, read and found whole."""

    directory: Path
    saved_at_s: float
    """Seconds since the epoch."""
    checkpoint: Checkpoint
    http: HTTPOptions | None = None
    """How it listened; the password of a key is not kept."""
    grpc: GrpcSpec | None = None

    @property
    def gist(self) -> str:
        """What it is, in a few words."""
        names = ", ".join(sorted(self.checkpoint.target.applications))
        at = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.saved_at_s))
        return f"{names} as of {at}"


def find_saved(state_dir: Path) -> Path:
    """Directory of the instance that has ended last, of those that were deployed to.

    Raises:
        SavedStateError: there is none; or the newest cannot be read.
    """
    for directory in _newest_first(state_dir):
        if not _is_unused(directory):
            return directory
    msg = f"Nothing to restore: no instance has saved anything in {state_dir}."
    hint = "Start without --restore, or name another directory: --restore PATH."
    raise SavedStateError(msg, hint)


def read_saved(path: Path) -> Saved:
    """Read everything and check that all is there; takes the checkpoint's path, too.

    Raises:
        SavedStateError: something is damaged, foreign or missing.
    """
    directory = path.parent if path.name == _CHECKPOINT else path
    files = SavedFiles(directory)
    if files.get(_CHECKPOINT) is None:
        msg = f"{directory} holds nothing that an instance has saved."
        raise SavedStateError(msg)
    checkpoint = _read_checkpoint(files)
    stored = {key for key in files.keys() if files.get(key) is not None}  # noqa: SIM118 - no dict
    for blob_id in checkpoint.target.blob_ids():
        if f"blob:{blob_id}" not in stored:
            msg = (
                f"{directory} is not whole: code that it needs ({blob_id}) is missing."
            )
            raise SavedStateError(msg)
    if not checkpoint.target.applications:
        msg = f"{directory}: its instance had no application when it ended."
        hint = f"Older ones lie in {directory.parent}: workbench up --restore PATH."
        raise SavedStateError(msg, hint)
    http, grpc = _read_door(files)
    return Saved(
        directory=directory,
        saved_at_s=(directory / _CHECKPOINT).stat().st_mtime,
        checkpoint=checkpoint,
        http=http,
        grpc=grpc,
    )


def copy_saved(saved: Saved, directory: Path, *, http: HTTPOptions) -> None:
    """Let the instance that will own `directory` begin with what was saved.

    It takes the old HTTP port again if nobody has it and none was asked for.
    """
    files, old = SavedFiles(directory), SavedFiles(saved.directory)
    for key in old.keys():  # noqa: SIM118 - no dict
        value = old.get(key)
        if value is not None:
            files.put(key, value)
    before = saved.checkpoint
    grpc_host = saved.grpc.options.host if saved.grpc else ""
    checkpoint = replace(
        before,
        http_port=_if_free(http.host, before.http_port) if http.port is None else None,
        grpc_port=_if_free(grpc_host, before.grpc_port),
        gateway_port=None,
        wire_port=None,
        notes=(f"Brought back: {saved.gist}.",),
    )
    files.put(_CHECKPOINT, msgspec.msgpack.encode(checkpoint))


def save_door(
    directory: Path, http: HTTPOptions, grpc: GrpcSpec | None, state_dir: Path
) -> None:
    """Keep how an instance listens, and remove what is older than enough."""
    door = {"http": replace(http, ssl_keyfile_password=None), "grpc": grpc}
    SavedFiles(directory).put(_DOOR, msgspec.json.encode(door))
    for old in list(_newest_first(state_dir))[_KEPT:]:
        if not _is_in_use(old):
            shutil.rmtree(old, ignore_errors=True)


def drop_unused(directory: Path) -> None:
    """Remove what an instance has saved that nobody ever deployed to."""
    with contextlib.suppress(SavedStateError):
        if directory.exists() and _is_unused(directory):
            shutil.rmtree(directory, ignore_errors=True)


def _newest_first(state_dir: Path) -> list[Path]:
    found = []
    for directory in state_dir.glob("*/"):
        with contextlib.suppress(OSError):
            found.append((_age(directory), directory))
    return [directory for _, directory in sorted(found, reverse=True)]


def _age(directory: Path) -> float:
    checkpoint = directory / _CHECKPOINT
    return (checkpoint if checkpoint.exists() else directory).stat().st_mtime


def _is_unused(directory: Path) -> bool:
    """The first deploy stores the version of the first table."""
    files = SavedFiles(directory)
    if files.get(_CHECKPOINT) is None:
        return True
    found = _read_checkpoint(files)
    return not found.target.applications and not found.table_version


def _is_in_use(directory: Path) -> bool:
    """Its launcher holds a lock on it."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _read_checkpoint(files: SavedFiles) -> Checkpoint:
    data = files.get(_CHECKPOINT) or b""
    return CheckpointStore.decode(data, str(files.directory / _CHECKPOINT))


def _read_door(files: SavedFiles) -> tuple[HTTPOptions | None, GrpcSpec | None]:
    data = files.get(_DOOR)
    if data is None:
        return None, None
    try:
        found = msgspec.json.decode(data)
        http = msgspec.convert(found["http"], HTTPOptions)
        grpc = GrpcSpec.load(found["grpc"]) if found["grpc"] else None
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        msg = f"{files.directory / _DOOR} cannot be read: {error}."
        raise SavedStateError(msg) from None
    return http, grpc


def _if_free(host: str, port: int | None) -> int | None:
    if port is None:
        return None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError:
        return None
    return port
