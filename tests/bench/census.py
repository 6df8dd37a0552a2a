"""Everything of an instance that there is on this machine, and what of it has no owner.

Asked by `chaos` before and after: each process, actor, socket file, reservation and
shared segment belongs to something that should run, or was left behind.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from workbench import serve
from workbench.instance import list_instances
from workbench.launcher import descendants
from workbench.settings import Settings

__all__ = ["Census", "take_census"]

_SHELL = "shell-"
_PROXY = "proxy-"
_SEGMENT = "memfd:workbench-value"
# Workers that Ray keeps for later, as it pleases.
_IDLE = "ray::IDLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Shells (replicas among them) by their id, and all else by its name or number."""

    listening: frozenset[str]
    """Shells that have a process with an open socket."""
    actors: frozenset[str]
    """Shells that Ray has an actor of."""
    socket_files: frozenset[str]
    last_words: frozenset[str]
    proxies: int
    """Actors that are one."""
    doors: int
    """Processes that listen where HTTP is spoken."""
    reservations: int
    segments: int
    """Shared memory of large values that some process still has open."""
    others: Counter[str]
    """All other processes, by their title."""
    addresses: tuple[str, ...]
    """Where clients and front ends find the instance."""

    def leftovers(self, before: "Census", replicas: int) -> list[str]:
        """What there is too much of, or too little; nothing if each has its owner."""
        shells = self.listening
        found = {
            "actors without process": self.actors - shells,
            "processes without actor": shells - self.actors,
            "socket files of nobody": self.socket_files - shells,
            "last words of nobody": self.last_words - shells,
            "other processes": set((self.others - before.others).elements()),
            "new addresses": set(self.addresses) - set(before.addresses),
        }
        counts = {
            "proxies": self.proxies - 1,
            "open doors": self.doors - 1,
            "reservations": self.reservations - replicas,
            "shared segments": self.segments,
        }
        return [f"{what}: {sorted(each)}" for what, each in found.items() if each] + [
            f"{what}: {number:+d}" for what, number in counts.items() if number
        ]


def take_census(app: str) -> Census:
    """Count now; asks a replica of `app` (see `lively`) what Ray knows."""
    instance = serve.status().instance
    assert instance is not None
    files = list_instances(Settings.from_environment().runtime_dir)
    file = next(each for each in files if each.id == instance.id)
    sockets = Path(file.home, "s")
    handle = serve.get_app_handle(app)
    in_ray: dict[str, Any] = handle.census.remote().result(timeout_s=60)
    processes = list(_processes(instance.pids["launcher"]))
    port = int(instance.http_url.rpartition(":")[2])
    listening = {each.pid: _own_socket(each, sockets) for each in processes}
    doors = {each.pid for each in processes if _listens_at(each, port)}
    ours = {instance.pids["controller"], *doors}
    ours |= {pid for pid, shell in listening.items() if shell}
    return Census(
        listening=frozenset(filter(None, listening.values())) - {"controller"},
        actors=_named(in_ray["actors"], _SHELL),
        socket_files=_stems(sockets, ".sock") - {"controller"},
        last_words=_stems(sockets, ".last"),
        proxies=len(_named(in_ray["actors"], _PROXY)),
        doors=len(doors),
        reservations=in_ray["reservations"],
        segments=len(set().union(*map(_segments, processes))),
        others=Counter(_title(each) for each in processes if each.pid not in ours),
        addresses=(file.url, instance.http_url),
    )


def _processes(launcher: int) -> Iterator[psutil.Process]:
    for pid in descendants(launcher):
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if not _title(process).startswith(_IDLE):
                yield process


def _title(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())[:60] or process.name()
    return ""


def _own_socket(process: psutil.Process, directory: Path) -> str:
    """Name of the Unix socket in our directory that the process listens on."""
    with contextlib.suppress(psutil.Error):
        for each in process.net_connections("unix"):
            path = Path(str(each.laddr))
            if path.parent == directory:
                return path.stem
    return ""


def _listens_at(process: psutil.Process, port: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(
            each.status == psutil.CONN_LISTEN and each.laddr.port == port
            for each in process.net_connections("tcp")
        )
    return False


def _segments(process: psutil.Process) -> set[int]:
    """Inodes of the segments that the process has open or mapped."""
    found = set()
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
            if _SEGMENT in line:
                found.add(int(line.split()[4]))
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if _SEGMENT in str(link.readlink()):
                    found.add(link.stat().st_ino)
    return found


def _named(names: list[str], prefix: str) -> frozenset[str]:
    return frozenset(
        each.removeprefix(prefix) for each in names if each.startswith(prefix)
    )


def _stems(directory: Path, suffix: str) -> frozenset[str]:
    return frozenset(each.stem for each in directory.glob(f"*{suffix}"))
