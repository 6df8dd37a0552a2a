"""Tells routers the table: whole when they subscribe, then what changes in it.

Each is encoded once, however many routers there are. What routers tell in turn is handed to whoever asked for that kind of message.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from workbench.controller.queues import QueueLedger
from workbench.controller.table import changed
from workbench.spec.table import Table
from workbench.wire.channel import Channel
from workbench.wire.framing import encode_once
from workbench.wire.messages import (
    Buffers,
    Message,
    Queued,
    QueuedElsewhere,
    Subscribe,
    TableChanged,
    TableSeen,
    TableUpdate,
)

__all__ = ["Publisher"]

Told = TypeVar("Told", bound=Message)


class Publisher:
    """The controller's end of the channels that routers subscribe on."""

    def __init__(self) -> None:
        self._table: Table | None = None
        """None until there is something to say: a controller that was restarted must
        not tell routers of an empty table before it has found what runs."""
        self._frame = b""
        """The whole table as it travels; made when the first asks for it."""
        self._told: dict[Channel, int] = {}
        """Version of the table that each subscriber was told last."""
        self._seen: dict[Channel, int] = {}
        """Version of the table that each routes by."""
        self._changed = asyncio.Event()
        self._names: dict[Channel, str] = {}
        self._channels: dict[str, Channel] = {}
        """By the names of the routers that they lead to."""
        self._queues = QueueLedger()
        self._ears: dict[type, Callable[[str, Message], None]] = {}
        self.on_gone: list[Callable[[str], None]] = []
        """Called with the name of a router that went away."""

    def tell(self, name: str, message: Message, buffers: Buffers = ()) -> bool:
        """Tell the router of that name alone; False if it has no channel."""
        channel = self._channels.get(name)
        if channel is None:
            return False
        channel.send(message, buffers)
        return True

    def hear(self, kind: type[Told], ear: Callable[[str, Told], None]) -> None:
        """Hand every message of a kind to `ear`, with its router's name."""
        self._ears[kind] = ear  # type: ignore[assignment]  # only that kind goes there

    def publish(self, table: Table) -> None:
        """Tell every subscriber of a new table."""
        before, self._table, self._frame = self._table, table, b""
        change = b""
        if before is not None:
            change = encode_once(TableChanged(changed(before, table)))
        for channel, told in self._told.items():
            if before is not None and told == before.version:
                channel.send_frame(change)
                self._told[channel] = table.version
            else:
                self._tell_all(channel, table)

    def _tell_all(self, channel: Channel, table: Table) -> None:
        if not self._frame:
            self._frame = encode_once(TableUpdate(table))
        channel.send_frame(self._frame)
        self._told[channel] = table.version

    async def wait_until_seen(self, version: int, timeout_s: float) -> None:
        """Return when every subscriber routes by this table or a later one.

        One that does not answer in time is left behind: it will get the table when it
        can, and replicas that stop still turn its calls away.
        """
        try:
            async with asyncio.timeout(timeout_s):
                behind = list(self._seen)
                while behind:
                    # Each is looked at until it has seen it, not all at every answer.
                    if self._seen.get(behind[-1], version) >= version:
                        behind.pop()
                        continue
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return

    async def wait_for_subscriber(self, name: str, timeout_s: float) -> None:
        """Return when the router of that name has taken a table into use.

        Raises:
            TimeoutError: it has not done so in time.
        """
        async with asyncio.timeout(timeout_s):
            while not self._has_seen_any(name):
                self._changed.clear()
                await self._changed.wait()

    def _has_seen_any(self, name: str) -> bool:
        return any(
            seen >= 0 and self._names.get(channel) == name
            for channel, seen in self._seen.items()
        )

    def on_open(self, channel: Channel) -> None:
        """A router connected; it will subscribe."""

    def on_message(self, channel: Channel, message: Message, _buffers: Buffers) -> None:
        """A router subscribes, or has taken a table into use."""
        match message:
            case Subscribe(name=name):
                self._names[channel] = name
                self._channels[name] = channel
                self._seen[channel] = self._told[channel] = -1
                if self._table is not None:
                    self._tell_all(channel, self._table)
            case TableSeen(version=version):
                self._seen[channel] = version
                self._changed.set()
            case Queued(deployment=deployment, count=count):
                name = self._names.get(channel, "")
                self._tell_queued(
                    deployment, self._queues.note(name, deployment, count)
                )
            case _:
                ear = self._ears.get(type(message))
                if ear is None:
                    channel.close()
                else:
                    ear(self._names.get(channel, ""), message)

    def _tell_queued(self, deployment: str, told: dict[str, int]) -> None:
        for name, count in told.items():
            self.tell(name, QueuedElsewhere(deployment, count))

    def on_closed(self, channel: Channel, _error: Exception | None) -> None:
        """A router went away."""
        self._seen.pop(channel, None)
        self._told.pop(channel, None)
        name = self._names.pop(channel, "")
        if self._channels.get(name) is channel:
            del self._channels[name]
        for deployment, told in self._queues.forget(name).items():
            self._tell_queued(deployment, told)
        for hear in self.on_gone:
            hear(name)
        self._changed.set()
