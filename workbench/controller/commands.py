"""Has the processes of replicas take steps, by the shortest way.

The router in every such process keeps a channel to the controller. A command and its
report travel there, which takes 2 to 3 ms where a call of an actor takes 7. What is
big, or finds no channel, Ray carries.
"""

import asyncio
import pickle
import secrets
from typing import Protocol

from workbench.controller.pool import Process, router_of
from workbench.spec.replica import Report
from workbench.wire.messages import Buffers, Command, Message, Reported

__all__ = ["Commands", "Teller"]

# Ray puts what is larger into its object store, and shares it on a node.
_MOST_BYTES = 1 << 20


class Teller(Protocol):
    """What this needs of a `Publisher`."""

    def tell(self, name: str, message: Message, buffers: Buffers, /) -> bool:
        """Tell the router of that name, if it has a channel."""


class Commands:
    """The commands that are on their way, and the reports that are waited for."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        # By process, since all that wait for one are told when its channel is gone.
        self._waiting: dict[str, dict[str, asyncio.Future[Report | None]]] = {}

    async def give(self, process: Process, step: str, request: object) -> Report:
        """Have a process take a step, once; return how that went.

        Raises:
            ProcessLookupError: the process is gone.
        """
        command_id = secrets.token_hex(8)
        payload = pickle.dumps(request, pickle.HIGHEST_PROTOCOL)
        if len(payload) <= _MOST_BYTES:
            command = Command(command_id, step)
            if told := await self._ask(router_of(process), command, payload):
                return told
        # A step that was begun is not taken again: the process knows it by its id.
        report = await process.call("obey", command_id, step, payload)
        assert isinstance(report, Report)
        return report

    def take(self, router: str, said: Reported) -> None:
        """A process reports."""
        waiter = self._waiting.get(router, {}).get(said.id)
        if waiter is not None and not waiter.done():
            report = Report(error=said.error, refused=said.refused, took_s=said.took_s)
            waiter.set_result(report)

    def forget(self, router: str) -> None:
        """A channel is gone, and what it would have brought."""
        for waiter in self._waiting.get(router, {}).values():
            if not waiter.done():
                waiter.set_result(None)

    async def _ask(
        self, router: str, command: Command, payload: bytes
    ) -> Report | None:
        """Send a command by channel and wait for its report; None if there is none."""
        if not self._teller.tell(router, command, (payload,)):
            return None
        waiter: asyncio.Future[Report | None]
        waiter = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(router, {})
        waiting[command.id] = waiter
        try:
            return await waiter
        finally:
            del waiting[command.id]
            if not waiting:
                del self._waiting[router]
