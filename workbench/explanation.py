"""Why a deployment has as many replicas as it has, as `serve.explain` gives it."""

import time
from collections.abc import Iterator, Sequence
from html import escape
from typing import overload

from workbench.spec.autoscaling import ScalingRecord

__all__ = ["Explanation"]

_TITLES = (
    "from",
    "to",
    "deployment",
    "replicas",
    "running",
    "ongoing",
    "waiting",
    "oldest",
    "proposed",
    "rule",
    "why",
)


class Explanation(Sequence[ScalingRecord]):
    """Decisions, oldest first; a table when shown."""

    def __init__(self, app: str, records: Sequence[ScalingRecord]) -> None:
        self.app = app
        self._records = tuple(records)

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> ScalingRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ScalingRecord]: ...
    def __getitem__(
        self, index: int | slice
    ) -> ScalingRecord | Sequence[ScalingRecord]:
        return self._records[index]

    def __iter__(self) -> Iterator[ScalingRecord]:
        return iter(self._records)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table's cells, below its titles."""
        return [_TITLES, *map(_row, self._records)]

    @property
    def lines(self) -> list[str]:
        """The table in text."""
        if not self._records:
            return [self._empty()]
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in self.rows]

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        if not self._records:
            return f"<p>{escape(self._empty())}</p>"
        titles, *rows = self.rows
        head = "".join(f"<th>{escape(title)}</th>" for title in titles)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            for row in rows
        )
        return f'<table class="wb-table"><tr>{head}</tr>{body}</table>'

    def _empty(self) -> str:
        return (
            f"Nothing was decided for {self.app!r}: it is not served, or none of its "
            "deployments has an autoscaling_config."
        )


def _row(record: ScalingRecord) -> tuple[str, ...]:
    changes = record.before != record.wanted
    count = f"{record.before} → {record.wanted}" if changes else f"{record.wanted}"
    return (
        _clock(record.at_s),
        _clock(record.until_s),
        record.deployment,
        count,
        str(record.running),
        f"{record.ongoing:g}",
        str(record.queued),
        f"{record.oldest_queued_s:.1f} s" if record.queued else "",
        "" if record.proposed is None else f"{record.proposed:.2f}",
        str(record.rule),
        record.why,
    )


def _clock(at_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at_s))
