"""Warm shells: processes that wait, everything imported, to become a replica.

A replica that starts from one takes about 10 ms and its constructor; a cold process
takes 0.6-1 s. The pool is refilled one at a time and in quiet moments, so that a burst
of starts does not starve what already serves; only who waits for one hurries it. How
many it keeps follows from how many were taken (`demand`). A used shell is never given to
other code.
"""

import asyncio
import logging
import os
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from workbench.controller.demand import ShellDemand, affordable_shells
from workbench.spec.placement import Inside
from workbench.spec.replica import Description, ShellConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["SHELL_PREFIX", "Cluster", "Process", "Shell", "ShellPool", "router_of"]

_log = logging.getLogger("workbench.controller")

SHELL_PREFIX = "shell-"
"""Of the name of a shell's process; its id follows."""

# Shells that fail in a row before a replica that waits for one fails, too.
_GIVE_UP = 3
_LONGEST_PAUSE_S = 30.0
# So long nothing must have been taken before the pool is refilled.
_QUIET_S = 0.3
# How often a pool at rest looks whether its shells have become too many.
_LOOK_AGAIN_S = 60.0


class Process(Protocol):
    """A running process of ours."""

    name: str

    async def call(self, method: str, *args: object) -> object: ...
    async def wait_for_death(self) -> str: ...
    async def end(self) -> None: ...


class Cluster(Protocol):
    """What the pool needs of the cluster."""

    async def start(  # noqa: PLR0913 - one keyword for each thing that Ray is told
        self,
        body: type,
        config: object,
        *,
        name: str,
        node_id: str | None = None,
        restarts: bool = False,
        runtime_env: dict[str, object] | None = None,
        inside: Inside | None = None,
    ) -> Process: ...


def router_of(process: Process) -> str:
    """Name of the router in a process that was started as a shell."""
    return process.name.removeprefix(SHELL_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A process that is ready to become a replica."""

    process: Process
    about: Description
    node_id: str


class ShellPool:
    """Keeps shells ready where replicas start, most of all on the home node.

    With `spare` 0 it keeps none: each replica waits for a process of its own.
    """

    def __init__(
        self, cluster: Cluster, body: type, template: ShellConfig, spare: int
    ) -> None:
        self._cluster = cluster
        self._body = body
        self._template = template
        self._spare = spare
        self._demand = ShellDemand(spare)
        self._ready: list[Shell] = []
        self._arrived = asyncio.Event()
        self._changed = asyncio.Event()
        self._waiting = 0
        self._failures = 0
        self._failure = ""
        self._watches: set[asyncio.Future[None]] = set()
        self.home_node = ""
        self.host_of: Callable[[str], Awaitable[str]] = _same
        """Address of a node; asked when the template names none."""
        self.free_memory: Callable[[], int | None] = lambda: None
        """Bytes that are free on the home node; None where that is not known."""

    async def keep_filled(self) -> None:
        """Refill for ever; run as a task."""
        while True:
            node_id = self._next_to_fill()
            if node_id is None:
                await self._rest()
                continue
            if not self._waiting and await self._was_disturbed():
                continue
            try:
                await self._add_for(node_id)
            except Exception as error:  # noqa: BLE001 - whatever it was, replicas need shells
                self._failed(node_id, error)
                _log.exception("A shell did not start; trying again")
                await asyncio.sleep(_pause_s(self._failures))
            else:
                self._failures = 0

    async def fill(self) -> None:
        """Start the first shells side by side; Ray has workers ready for them.

        Those that fail are left to `keep_filled`.
        """
        starts = (self._add(self.home_node) for _ in range(self._spare))
        for outcome in await asyncio.gather(*starts, return_exceptions=True):
            if isinstance(outcome, Exception):
                self._failed(self.home_node, outcome)
                _log.error("A first shell did not start", exc_info=outcome)

    async def take(
        self,
        node_id: str,
        runtime_env: dict[str, object],
        inside: Inside | None = None,
    ) -> Shell:
        """A shell on that node: a warm one if there is one, else a new one.

        One that Ray must count as part of a reservation is always new.

        Raises:
            RuntimeError: none starts, time and again.
        """
        if runtime_env or inside:
            return await self._start(node_id, runtime_env, inside)
        self._demand.note(node_id, _now())
        self._changed.set()
        if node_id != self.home_node:
            return self._pop(node_id) or await self._start(node_id, {})
        self._waiting += 1
        try:
            while not (shell := self._pop(node_id)):
                self._arrived.clear()
                await self._arrived.wait()
                if self._failures >= _GIVE_UP and not self._ready:
                    msg = f"No process for it could be started: {self._failure}"
                    raise RuntimeError(msg)
        finally:
            self._waiting -= 1
        self._changed.set()
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

    # -- how many, and where -----------------------------------------------------------

    def _next_to_fill(self) -> str | None:
        """The node that most lacks a shell; None if none does."""
        if self._waiting > self._count(self.home_node):
            return self.home_node
        missing = {
            node: wanted - self._count(node) for node, wanted in self._wanted().items()
        }
        worst = max(missing, key=missing.__getitem__, default="")
        return worst if missing.get(worst, 0) > 0 else None

    def _wanted(self) -> dict[str, int]:
        wanted = self._demand.wanted(_now(), home=self.home_node)
        if wanted.get(self.home_node, 0) > self._spare:
            # Beyond what was asked for, as far as memory goes.
            can_be = affordable_shells(self._count(self.home_node), self.free_memory())
            wanted[self.home_node] = max(
                self._spare, min(wanted[self.home_node], can_be)
            )
        return wanted

    def _count(self, node_id: str) -> int:
        return sum(1 for each in self._ready if each.node_id == node_id)

    async def _rest(self) -> None:
        """Until something changes; shells that have become too many end meanwhile."""
        wanted = self._wanted()
        for shell in list(self._ready):
            node_id = shell.node_id
            if self._count(node_id) > wanted.get(node_id, 0) + self._waiting:
                self._ready.remove(shell)
                await shell.process.end()
        await self._wait_for_change(_LOOK_AGAIN_S)

    async def _was_disturbed(self) -> bool:
        """Let a burst of starts pass before it is made up for: they come first."""
        return bool(self._ready) and await self._wait_for_change(_QUIET_S)

    async def _wait_for_change(self, timeout_s: float) -> bool:
        self._changed.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    # -- starting and ending -----------------------------------------------------------

    async def _add_for(self, node_id: str) -> None:
        """One shell; as many side by side as wait for one and there are cores."""
        lacking = self._waiting - self._count(node_id)
        count = max(1, min(lacking, os.cpu_count() or 1))
        starts = (self._add(node_id) for _ in range(count))
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        for each in outcomes:
            if isinstance(each, BaseException):
                raise each

    async def _add(self, node_id: str) -> None:
        self.adopt(await self._start(node_id, {}))

    def _failed(self, node_id: str, error: Exception) -> None:
        """After several failures in a row, those who wait are told rather than left."""
        if node_id != self.home_node:
            self._demand.forget(node_id)
        self._failures += 1
        self._failure = f"{type(error).__name__}: {error}"
        self._arrived.set()

    async def _watch(self, process: Process) -> None:
        """Forget a shell that dies before anybody took it."""
        await process.wait_for_death()
        self._ready = [each for each in self._ready if each.process is not process]
        self._changed.set()

    def _pop(self, node_id: str) -> Shell | None:
        for shell in self._ready:
            if shell.node_id == node_id:
                self._ready.remove(shell)
                return shell
        return None

    async def _start(
        self,
        node_id: str,
        runtime_env: dict[str, object],
        inside: Inside | None = None,
    ) -> Shell:
        shell_id = secrets.token_hex(4)
        host = self._template.host or await self.host_of(node_id)
        config = replace(
            self._template,
            id=shell_id,
            host=host,
            node_id=node_id,
            is_spare=not (runtime_env or inside),
        )
        process = await self._cluster.start(
            self._body,
            config,
            name=f"{SHELL_PREFIX}{shell_id}",
            node_id=node_id,
            runtime_env=runtime_env or None,
            inside=inside,
        )
        try:
            about = await process.call("start")
        except BaseException:
            # Nobody else knows of it: left alone, it would stay for good.
            await process.end()
            raise
        assert isinstance(about, Description)
        return Shell(process=process, about=about, node_id=node_id)


async def _same(node_id: str) -> str:
    return node_id


def _now() -> float:
    return asyncio.get_running_loop().time()


def _pause_s(failures: int) -> float:
    """Before the next try: longer each time, so that a broken pool costs little."""
    return float(min(2.0 ** (failures - 1), _LONGEST_PAUSE_S))
