"""Warm shells: processes that wait, everything imported, to become a replica.

A replica that starts from one takes about 10 ms and its constructor; a cold process
takes 0.6-1 s. The pool is refilled one at a time, so that a burst of starts does not
starve what already serves. A used shell is never given to other code.
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from workbench.spec.replica import Description, ShellConfig

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SHELL_PREFIX", "Cluster", "Process", "Shell", "ShellPool"]

_log = logging.getLogger("workbench.controller")

SHELL_PREFIX = "shell-"
"""Of the name of a shell's process; its id follows."""

# Shells that fail in a row before a replica that waits for one fails, too.
_GIVE_UP = 3
_LONGEST_PAUSE_S = 30.0


class Process(Protocol):
    """A running process of ours."""

    name: str

    async def call(self, method: str, *args: object) -> object: ...
    async def wait_for_death(self) -> str: ...
    async def end(self) -> None: ...


class Cluster(Protocol):
    """What the pool needs of the cluster."""

    async def start(
        self,
        body: type,
        config: object,
        *,
        name: str,
        node_id: str | None = None,
        restarts: bool = False,
        runtime_env: dict[str, object] | None = None,
    ) -> Process: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A process that is ready to become a replica."""

    process: Process
    about: Description
    node_id: str


class ShellPool:
    """Keeps `spare` shells ready on the head node."""

    def __init__(
        self, cluster: Cluster, body: type, template: ShellConfig, spare: int
    ) -> None:
        self._cluster = cluster
        self._body = body
        self._template = template
        self._spare = spare
        self._ready: list[Shell] = []
        self._arrived = asyncio.Event()
        self._wanted = asyncio.Event()
        self._waiting = 0
        self._failures = 0
        self._failure = ""
        self._watches: set[asyncio.Future[None]] = set()
        self.home_node = ""
        self.host_of: Callable[[str], str] = str
        """Address of a node; asked when the template names none."""

    async def keep_filled(self) -> None:
        """Refill for ever, one at a time; run as a task."""
        while True:
            if len(self._ready) >= self._spare + self._waiting:
                self._wanted.clear()
                await self._wanted.wait()
                continue
            try:
                await self._add()
            except Exception as error:  # noqa: BLE001 - whatever it was, replicas need shells
                self._failed(error)
                _log.exception("A shell did not start; trying again")
                await asyncio.sleep(_pause_s(self._failures))
            else:
                self._failures = 0

    def _failed(self, error: Exception) -> None:
        """After several failures in a row, those who wait are told rather than left."""
        self._failures += 1
        self._failure = f"{type(error).__name__}: {error}"
        self._arrived.set()

    async def fill(self) -> None:
        """Start the first shells side by side; Ray has workers ready for them.

        Those that fail are left to `keep_filled`.
        """
        starts = (self._add() for _ in range(self._spare))
        for outcome in await asyncio.gather(*starts, return_exceptions=True):
            if isinstance(outcome, Exception):
                self._failed(outcome)
                _log.error("A first shell did not start", exc_info=outcome)

    async def take(self, node_id: str, runtime_env: dict[str, object]) -> Shell:
        """A shell on that node: a warm one if there is one, else a new one.

        Raises:
            RuntimeError: none starts, time and again.
        """
        if runtime_env or node_id != self.home_node:
            return await self._start(node_id, runtime_env)
        self._waiting += 1
        try:
            while not (shell := self._pop()):
                self._wanted.set()
                self._arrived.clear()
                await self._arrived.wait()
                if self._failures >= _GIVE_UP and not self._ready:
                    msg = f"No process for it could be started: {self._failure}"
                    raise RuntimeError(msg)
        finally:
            self._waiting -= 1
        self._wanted.set()
        return shell

    def adopt(self, shell: Shell) -> None:
        """Take over a shell that an earlier controller started."""
        self._ready.append(shell)
        self._arrived.set()
        task = asyncio.ensure_future(self._watch(shell.process))
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    def names(self) -> list[str]:
        """Processes of the spare shells."""
        return [each.process.name for each in self._ready]

    async def _watch(self, process: Process) -> None:
        """Forget a shell that dies before anybody took it."""
        await process.wait_for_death()
        self._ready = [each for each in self._ready if each.process is not process]
        self._wanted.set()

    def _pop(self) -> Shell | None:
        return self._ready.pop(0) if self._ready else None

    async def _add(self) -> None:
        self.adopt(await self._start(self.home_node, {}))

    async def _start(self, node_id: str, runtime_env: dict[str, object]) -> Shell:
        shell_id = secrets.token_hex(4)
        host = self._template.host or self.host_of(node_id)
        config = replace(self._template, id=shell_id, host=host)
        process = await self._cluster.start(
            self._body,
            config,
            name=f"{SHELL_PREFIX}{shell_id}",
            node_id=node_id,
            runtime_env=runtime_env or None,
        )
        try:
            about = await process.call("start")
        except BaseException:
            # Nobody else knows of it: left alone, it would stay for good.
            await process.end()
            raise
        assert isinstance(about, Description)
        return Shell(process=process, about=about, node_id=node_id)


def _pause_s(failures: int) -> float:
    """Before the next try: longer each time, so that a broken pool costs little."""
    return float(min(2.0 ** (failures - 1), _LONGEST_PAUSE_S))
