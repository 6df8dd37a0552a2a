"""What all connections of one server share: the router, the options, a slow clock.

`ProxyProcess` makes one; every `HttpProtocol` joins it. The clock beats once a second
and serves all connections at once, for the date header and for closing whoever is
idle or stuck: a timer per request would cost 0.9 µs, this costs an assignment.
"""

import asyncio
import math
from email.utils import formatdate
from typing import TYPE_CHECKING, Protocol

from workbench.observe.recorder import Recorders
from workbench.proxy.peer import Trust
from workbench.proxy.request_id import new_ids
from workbench.routing.call import Receiver, Ticket
from workbench.spec.http import HTTPOptions
from workbench.spec.table import RouteEntry
from workbench.wire.messages import Buffers, HttpCall

if TYPE_CHECKING:
    from workbench.observe.spans import Spans

__all__ = ["NEVER", "Door", "Guest", "Routes"]

NEVER = 1 << 62


def _beats(time_s: float | None, beat_s: float) -> int:
    """Beats that are no shorter than this time; None is for ever."""
    return NEVER if time_s is None else 1 + math.ceil(time_s / beat_s)


class Routes(Protocol):
    """What a proxy asks of a `Router`."""

    @property
    def is_ready(self) -> bool:
        """Whether a first table has come."""

    def match(self, path: str) -> RouteEntry | None:
        """The route with the longest prefix of the path."""

    def routes(self) -> dict[str, str]:
        """Prefix to application."""

    def next_id(self) -> int:
        """A number for a call."""

    def submit(
        self, deployment: str, message: HttpCall, buffers: Buffers, receiver: Receiver
    ) -> Ticket:
        """Send a call on its way; the receiver is never called before this returns."""


class Guest(Protocol):
    """A connection, as the door sees it."""

    expires: int
    """Beat at which it has been idle or stuck for too long."""

    def expire(self) -> None:
        """That beat has come."""

    def cut(self) -> None:
        """Close at once, whatever is going on."""


class Door:
    """Shared by all connections of one server; lives on one event loop."""

    def __init__(
        self,
        router: Routes,
        options: HTTPOptions,
        *,
        beat_s: float = 1.0,
    ) -> None:
        self.router = router
        self.options = options
        self.trust = Trust(options.forwarded_allow_ips)
        self.spans: Spans | None = None
        """None: nobody traces requests here."""
        self.is_draining = False
        self.beat = 0
        self.idle_beats = _beats(options.keep_alive_timeout_s, beat_s)
        """How long a connection may wait for its next request."""
        self.head_beats = _beats(options.header_timeout_s, beat_s)
        """How long a client may take for a head."""
        self.body_beats = _beats(options.body_timeout_s, beat_s)
        """How long a client may pause within a body."""
        self.ping_beats = _beats(options.websocket_ping_interval_s, beat_s)
        """How long nothing may come on a WebSocket before it is pinged."""
        self.pong_beats = _beats(options.websocket_ping_timeout_s, beat_s)
        self.date_line = b""
        self.ids = new_ids()
        self.ended = Recorders()
        """Requests that ended, by application: those of our own pages are in none."""
        self._beat_s = beat_s
        self._guests: set[Guest] = set()
        self._timer: asyncio.TimerHandle | None = None

    def join(self, guest: Guest) -> None:
        """Let a new connection in; the clock runs while there is any."""
        self._guests.add(guest)
        if self._timer is None:
            self._tick()

    def leave(self, guest: Guest) -> None:
        """A connection has ended."""
        self._guests.discard(guest)

    def cut_all(self) -> None:
        """Close every connection at once."""
        for guest in list(self._guests):
            guest.cut()

    def _tick(self) -> None:
        self.beat += 1
        self.date_line = f"date: {formatdate(usegmt=True)}\r\n".encode("ascii")
        for guest in [each for each in self._guests if each.expires <= self.beat]:
            guest.expire()
        if self._guests:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._beat_s, self._tick)
        else:
            self._timer = None
