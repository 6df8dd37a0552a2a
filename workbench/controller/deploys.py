"""Feeds of deploys: the events of each, in order, for whoever follows it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable

from workbench.controller.replica_life import Replica
from workbench.spec.status import DeployEvent, EventKind, ReplicaState, Step
from workbench.spec.versions import StepTaken

__all__ = ["DeployFeed", "DeployFeeds"]

_LAST = frozenset({EventKind.LIVE, EventKind.FAILED})


class DeployFeed:
    """Events go in with `put`; iterating ends after the one that says how it ended."""

    def __init__(self, app: str) -> None:
        self.app = app
        self._started = time.monotonic()
        self._events: asyncio.Queue[DeployEvent] = asyncio.Queue()

    def event(self, kind: EventKind, **fields: object) -> DeployEvent:
        """An event of now."""
        at_s = time.monotonic() - self._started
        return DeployEvent(kind=kind, at_s=at_s, **fields)  # type: ignore[arg-type]

    def put_steps(self, steps: Iterable[StepTaken]) -> None:
        """Say what each deployment goes through."""
        for each in steps:
            event = self.event(
                EventKind.STEP,
                deployment=each.deployment,
                step=each.step,
                reason=each.reason,
            )
            self.put(event)

    def put(self, event: DeployEvent) -> None:
        """Add an event."""
        self._events.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[DeployEvent]:
        """Events until the deploy has ended."""
        while True:
            event = await self._events.get()
            yield event
            if event.kind in _LAST:
                return


class DeployFeeds:
    """The feeds that are open, by application."""

    def __init__(self) -> None:
        self._feeds: dict[str, list[DeployFeed]] = defaultdict(list)

    def open(self, app: str) -> DeployFeed:
        """A feed for one more deploy of an application."""
        feed = DeployFeed(app)
        self._feeds[app].append(feed)
        return feed

    def put(self, app: str, message: str) -> None:
        """Tell every follower of an application how its trial goes."""
        for feed in self._feeds.get(app, []):
            feed.put(feed.event(EventKind.GATE, message=message))

    def put_last(self, app: str, kind: EventKind, **fields: object) -> None:
        """Tell every follower of an application how its deploy ended."""
        for feed in self._feeds.pop(app, []):
            feed.put(feed.event(kind, **fields))

    def end(self, app: str, why: str) -> None:
        """The deploy of an application will not come to its own end."""
        self.put_last(app, EventKind.FAILED, message=why, error="DeployError")

    def on_replica(self, before: Replica | None, after: Replica) -> None:
        """Tell whoever follows a deploy of the application about its replicas."""
        waits_for = after.message if after.state is ReplicaState.PLACING else ""
        is_same = before is not None and before.state is after.state
        if is_same and not after.refused and not waits_for:
            return
        for feed in self._feeds.get(after.app, []):
            if after.refused and before is not None and not before.refused:
                feed.put(
                    feed.event(
                        EventKind.STEP,
                        deployment=after.spec.name,
                        step=Step.SWAP,
                        reason=f"cannot be kept: {after.message}",
                    )
                )
            feed.put(
                feed.event(
                    EventKind.REPLICA,
                    deployment=after.spec.name,
                    replica=after.id,
                    state=after.state,
                    message=waits_for,
                )
            )
