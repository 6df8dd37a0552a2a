"""What a panel in the kernel and its views in pages tell each other.

`extension/src/protocol.ts` is generated from these and from `workbench.spec`. A panel
sends events too (`workbench.spec.events`), reduced to its application.
"""

from typing import TypeAlias

import msgspec

from workbench.spec.events import Event

__all__ = [
    "AwayMessage",
    "DeleteOrder",
    "DoneMessage",
    "LeaveMessage",
    "PageMessage",
    "PanelMessage",
    "ScaleOrder",
    "WatchMessage",
]


class AwayMessage(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="away"
):
    """Nothing can be measured now; said again at each attempt, until it can."""

    sentence: str
    remedy: str


class DoneMessage(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="done"
):
    """An order was carried out, or could not be."""

    order: str
    is_ok: bool
    text: str


PanelMessage: TypeAlias = Event | AwayMessage | DoneMessage
"""From the kernel to all views of a panel."""


class WatchMessage(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="watch"
):
    """A view is there; said again while it is, and when it is hidden or shown."""

    view: str
    is_visible: bool


class LeaveMessage(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="leave"
):
    """A view is gone."""

    view: str


class ScaleOrder(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="scale"
):
    """The reader wants another number of replicas."""

    order: str
    deployment: str
    num_replicas: int


class DeleteOrder(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="delete"
):
    """The reader wants the application deleted, and has said so twice."""

    order: str


PageMessage: TypeAlias = WatchMessage | LeaveMessage | ScaleOrder | DeleteOrder
"""From a view to the kernel."""
