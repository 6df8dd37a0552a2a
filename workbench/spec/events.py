"""What `GET /api/events` streams: one JSON object a line, told apart by `kind`.

First the status and the history, then each status that differs from the one before,
and a sample twice a second. Structs, since msgspec tells only these apart by a tag.
"""

from typing import TypeAlias

import msgspec

from workbench.spec.metrics import Sample
from workbench.spec.status import ServeStatus

__all__ = ["Event", "HistoryEvent", "SampleEvent", "StatusEvent"]


class StatusEvent(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="status"
):
    """What runs has changed."""

    status: ServeStatus


class HistoryEvent(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="history"
):
    """The last minutes, oldest first."""

    samples: tuple[Sample, ...]


class SampleEvent(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="sample"
):
    """What was measured just now."""

    sample: Sample


Event: TypeAlias = StatusEvent | HistoryEvent | SampleEvent
