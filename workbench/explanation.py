"""Why a deployment has as many replicas as it has, as `serve.explain` gives it."""

import time
from html import escape
from typing import ClassVar

from workbench.record_table import RecordTable
from workbench.spec.autoscaling import ScalingRecord

__all__ = ["SHOWN", "Explanation"]

SHOWN = 20
"""Decisions that front ends show if nobody says how many."""

_TITLES = (
    "from",
    "to",
    "deployment",
    "replicas",
    "running",
    "ongoing",
    "waiting",
    "oldest",
    "policy",
    "proposed",
    "rule",
    "why",
)


class Explanation(RecordTable[ScalingRecord]):
    """Decisions, oldest first; a table when shown."""

    titles: ClassVar[tuple[str, ...]] = _TITLES

    def last(self, count: int, deployment: str = "") -> "Explanation":
        """The last so many, of one deployment only if that is named."""
        chosen = [
            each for each in self if not deployment or each.deployment == deployment
        ]
        return Explanation(self.app, chosen[-count:])

    def row(self, record: ScalingRecord) -> tuple[str, ...]:
        """A decision's cells."""
        return _row(record)

    @property
    def lines(self) -> list[str]:
        """The table in text; a sentence where there is none."""
        return super().lines if self else [self._empty()]

    def _repr_html_(self) -> str:
        return super()._repr_html_() if self else f"<p>{escape(self._empty())}</p>"

    def _empty(self) -> str:
        return (
            f"Nothing was decided for {self.app!r}: it is not served, or none of its "
            "deployments has an autoscaling_config. One that may have up to four "
            'replicas: @serve.deployment(autoscaling_config={"max_replicas": 4}).'
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
        record.policy,
        "" if record.proposed is None else f"{record.proposed:.2f}",
        str(record.rule),
        record.why,
    )


def _clock(at_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at_s))
