"""Warm shells: processes that wait, everything imported, to become a replica.

A replica that starts from one takes about 10 ms and its constructor; a cold process
takes 0.6-1 s. The pool is refilled one at a time, so that a burst of starts does not
starve what already serves. A used shell is never given to other code.
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from workbench.spec.replica import Description, ShellConfig

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Cluster", "Process", "Shell", "ShellPool"]

_log = logging.getLogger("workbench.controller")


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
            except Exception:  # noqa: BLE001 - whatever it was, replicas need shells
                _log.exception("A shell did not start; trying again")
                await asyncio.sleep(1.0)

    async def fill(self) -> None:
        """Start the first shells side by side; Ray has workers ready for them."""
        await asyncio.gather(*(self._add() for _ in range(self._spare)))

    async def take(self, node_id: str, runtime_env: dict[str, object]) -> Shell:
        """A shell on that node: a warm one if there is one, else a new one."""
        if runtime_env or node_id != self.home_node:
            return await self._start(node_id, runtime_env)
        self._waiting += 1
        try:
            while not (shell := self._pop()):
                self._wanted.set()
                self._arrived.clear()
                await self._arrived.wait()
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
        config = ShellConfig(
            id=shell_id,
            socket_dir=self._template.socket_dir,
            host=self._template.host or self.host_of(node_id),
            secret=self._template.secret,
            controller=self._template.controller,
        )
        process = await self._cluster.start(
            self._body,
            config,
            name=f"shell-{shell_id}",
            node_id=node_id,
            runtime_env=runtime_env or None,
        )
        about = await process.call("start")
        assert isinstance(about, Description)
        return Shell(process=process, about=about, node_id=node_id)
