"""Instance files: how front ends find a running instance, and what it is called.

An instance writes one JSON file (mode 0600) into Jupyter's runtime directory when it
is ready and removes it when it ends. A file whose process is gone is swept up by
whoever meets it.
"""

import hashlib
import hmac
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

__all__ = [
    "InstanceFile",
    "channel_secret",
    "find",
    "find_by_id",
    "home_name",
    "list_instances",
    "path_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFile:
    """What a front end needs to reach one instance."""

    id: str
    url: str
    token: str
    pid: int
    """The launcher's process on this host."""
    is_kept: bool
    """Outlives whoever started it; others may deploy on it."""
    home: str
    """Its directory, for sockets, Ray's session and the log."""
    started_at: float
    """Seconds since the epoch."""
    trouble: str = ""
    """Why it does not answer at the moment, while it is being started again."""

    def path(self, runtime_dir: Path) -> Path:
        """Where this instance's file lies."""
        return path_of(runtime_dir, self.id)

    def write(self, runtime_dir: Path) -> None:
        """Write or replace the file; a reader never sees half of it."""
        runtime_dir.mkdir(parents=True, exist_ok=True)
        target = self.path(runtime_dir)
        part = target.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(asdict(self)))
        part.replace(target)

    @classmethod
    def read(cls, path: Path) -> "InstanceFile":
        """Read a file; what a later version added to it is passed over.

        Raises:
            OSError, ValueError, TypeError: it is no instance file.
        """
        known = {each.name for each in fields(cls)}
        found = dict(json.loads(path.read_text()))
        return cls(**{name: found[name] for name in known & found.keys()})

    def remove(self, runtime_dir: Path) -> None:
        """Take the file away; it may be gone already."""
        self.path(runtime_dir).unlink(missing_ok=True)


def path_of(runtime_dir: Path, instance_id: str) -> Path:
    """Where the file of an instance lies."""
    return runtime_dir / f"workbench-{instance_id}.json"


def home_name(instance_id: str) -> str:
    """Name of an instance's directory; short, as socket paths must be."""
    return f"wb-{instance_id}"


def list_instances(runtime_dir: Path) -> Iterator[InstanceFile]:
    """The instances that run on this host for this user, newest first."""
    found = []
    for path in runtime_dir.glob("workbench-*.json"):
        try:
            instance = InstanceFile.read(path)
        except (OSError, ValueError, TypeError):
            continue
        if _is_running(instance.pid):
            found.append(instance)
        else:
            _sweep(path, instance)
    yield from sorted(found, key=lambda each: -each.started_at)


def find(runtime_dir: Path, *, only_kept: bool) -> InstanceFile | None:
    """The instance to use: the newest kept one, else (if allowed) the newest."""
    found = sorted(list_instances(runtime_dir), key=lambda each: not each.is_kept)
    if not found or (only_kept and not found[0].is_kept):
        return None
    return found[0]


def find_by_id(runtime_dir: Path, instance_id: str) -> InstanceFile | None:
    """The instance of that name, if it runs on this host for this user."""
    found = list_instances(runtime_dir)
    return next((each for each in found if each.id == instance_id), None)


def channel_secret(token: str) -> bytes:
    """The key of all channels of an instance, derived from its token.

    HMAC-SHA256 as a one-step key derivation: who knows the token knows the key, and
    the token itself never travels on a channel.
    """
    return hmac.new(token.encode(), b"workbench channel", hashlib.sha256).digest()


def _sweep(path: Path, instance: InstanceFile) -> None:
    """Remove what an instance left that was killed before it could clear up."""
    if Path(instance.home).name == home_name(instance.id):
        shutil.rmtree(instance.home, ignore_errors=True)
    path.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
