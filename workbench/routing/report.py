"""Tells the controller twice a second what this process measured.

One task in every process that has a router: proxies, replicas, and clients with
handles. It says nothing as long as there is nothing to say.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Protocol

from workbench.observe.beat import BEAT_S, LAST_PLACE, until
from workbench.wire.messages import Ended, Measured, Message, ReplicaMeasured

__all__ = ["Teller", "report"]


class Teller(Protocol):
    """What this needs of a `Router`."""

    def queued(self) -> dict[str, int]:
        """Calls that wait, by deployment."""

    def in_flight(self) -> dict[str, int]:
        """Calls that replicas have, by deployment."""

    def oldest_queued_s(self) -> dict[str, float]:
        """How long the oldest waiting call has waited, by deployment."""

    def tell(self, message: Message, /) -> bool:
        """Tell the controller, if it is there."""


async def report(
    router: Teller,
    *,
    applications: Callable[[], dict[str, Ended]] = dict,
    replica: Callable[[], ReplicaMeasured | None] = lambda: None,
    beat_s: float = BEAT_S,
) -> None:
    """Report every beat until cancelled; on the router's loop.

    What the controller cannot hear is lost: told later, it would show as a burst of
    calls that never was.
    """
    place = random.uniform(0, LAST_PLACE)  # noqa: S311 - no secret
    had_calls = False
    while True:
        await asyncio.sleep(until(place, time.time(), beat_s))
        measured = Measured(
            router.queued(),
            applications(),
            replica(),
            router.in_flight(),
            router.oldest_queued_s(),
        )
        has_calls = bool(measured.queued or measured.in_flight)
        has_news = measured.applications or measured.replica is not None
        if has_calls or had_calls or has_news:
            router.tell(measured)
        had_calls = has_calls
