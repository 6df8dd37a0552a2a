"""What all replicas said of late, in the order in which it came. Pure.

Bounded for each deployment and in all. It lives in the controller's memory: a replica
that has ended is still in it, a controller that was restarted begins a new one.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from workbench.spec.logs import LEVELS, LogPage, LogQuery, LogRecord
from workbench.wire.messages import Line, Said

__all__ = ["Journal"]

_DEPLOYMENT_RECORDS = 2_000
_DEPLOYMENT_CHARS = 1_000_000
_ALL_RECORDS = 20_000
_ALL_CHARS = 8_000_000

_RANK = {level: rank for rank, level in enumerate(LEVELS)}

Key = tuple[str, str]


class Journal:
    """Takes what replicas say, answers queries."""

    def __init__(self, now_s: float) -> None:
        # Microseconds: above every number that an earlier controller gave, so whoever
        # followed that one goes on here; and exact as a number of JavaScript.
        self._last = int(now_s * 1e6)
        self._rings: dict[Key, _Ring] = {}
        self._records = 0
        self._chars = 0
        self._dropped = 0

    @property
    def last(self) -> int:
        """Number of the newest record."""
        return self._last

    def add(self, said: Said, now_s: float) -> None:
        """Keep what a replica said, and that it said more than it may."""
        for line in said.lines:
            self._add(said, line)
        if said.dropped:
            self._dropped += said.dropped
            text = f"{said.dropped} more lines came too fast and were not kept."
            self._add(said, Line(now_s, "WARNING", "workbench", "", text))
        self._make_room()

    def read(self, query: LogQuery) -> LogPage:
        """The records that a query lets pass."""
        # One that is ahead of us counted by another clock: begin with what there is.
        after = query.after if query.after <= self._last else 0
        found = filter(_filter_of(query), self._newest_first(query, after))
        if not after:
            records = list(itertools.islice(found, query.limit))[::-1]
            return self._page(records, self._last)
        records = list(found)[::-1]
        if len(records) <= query.limit:
            return self._page(records, self._last)
        records = records[: query.limit]
        return self._page(records, records[-1].seq)

    def _page(self, records: list[LogRecord], following: int) -> LogPage:
        return LogPage(records=tuple(records), next=following, dropped=self._dropped)

    def _newest_first(self, query: LogQuery, after: int) -> Iterator[LogRecord]:
        rings = [
            reversed(ring.records)
            for (app, deployment), ring in self._rings.items()
            if query.app in {"", app} and query.deployment in {"", deployment}
        ]
        merged = heapq.merge(*rings, key=lambda each: each.seq, reverse=True)
        return itertools.takewhile(lambda each: each.seq > after, merged)

    def _add(self, said: Said, line: Line) -> None:
        self._last += 1
        record = LogRecord(
            seq=self._last,
            at_s=line.at_s,
            level=line.level,
            source=line.source,
            app=said.app,
            deployment=said.deployment,
            replica=said.replica,
            request_id=line.request_id,
            text=line.text,
        )
        ring = self._rings.setdefault((said.app, said.deployment), _Ring())
        ring.records.append(record)
        ring.chars += len(record.text)
        self._records += 1
        self._chars += len(record.text)
        while len(ring.records) > _DEPLOYMENT_RECORDS or ring.chars > _DEPLOYMENT_CHARS:
            self._forget_oldest(ring)

    def _make_room(self) -> None:
        """The oldest records go first, whoever said them."""
        while self._records > _ALL_RECORDS or self._chars > _ALL_CHARS:
            key = min(self._rings, key=lambda key: self._rings[key].records[0].seq)
            self._forget_oldest(self._rings[key])
            if not self._rings[key].records:
                del self._rings[key]

    def _forget_oldest(self, ring: "_Ring") -> None:
        size = len(ring.records.popleft().text)
        ring.chars -= size
        self._chars -= size
        self._records -= 1


@dataclass(slots=True)
class _Ring:
    """The records of one deployment."""

    records: deque[LogRecord] = field(default_factory=deque)
    chars: int = 0


def _filter_of(query: LogQuery) -> Callable[[LogRecord], bool]:
    least = _RANK.get(query.level, 0)
    text = query.contains.casefold()

    def passes(record: LogRecord) -> bool:
        return (
            query.replica in {"", record.replica}
            and query.request_id in {"", record.request_id}
            and query.source in {"", record.source}
            and _RANK[record.level] >= least
            and text in record.text.casefold()
        )

    return passes
