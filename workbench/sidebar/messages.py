"""What a page and the Jupyter server extension tell each other.

`extension/src/protocol.ts` is generated from these and from `workbench.spec`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import msgspec

from workbench.spec.events import Event

__all__ = [
    "ConnectRequest",
    "FeedMessage",
    "Instance",
    "InstanceEvent",
    "InstancesMessage",
    "Problem",
    "ProblemKind",
    "ScaleRequest",
    "StartingMessage",
]


class ProblemKind(StrEnum):
    """Why an instance shows nothing."""

    WRONG_TOKEN = "wrong_token"  # noqa: S105 - a name
    UNREACHABLE = "unreachable"
    CONTROLLER_AWAY = "controller_away"
    RESTARTING = "restarting"
    VERSION_MISMATCH = "version_mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, in a sentence, and what mends it."""

    kind: ProblemKind
    sentence: str
    remedy: str
    """What the reader may do: a sentence, perhaps with a command in backquotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance as the sidebar lists it. Its token stays in the server."""

    id: str
    """Of a remote one that never answered: a name made from its URL."""
    url: str
    is_remote: bool
    is_kept: bool
    version: str
    """Of Workbench there; empty while unknown."""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """Body of `POST workbench/instances`."""

    url: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleRequest:
    """Body of `PUT …/applications/{app}/deployments/{deployment}/scale`."""

    num_replicas: int


class InstancesMessage(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="instances"
):
    """All instances; the first message, and whenever one comes, goes or changes."""

    instances: tuple[Instance, ...]
    server_version: str
    """Of Workbench in Jupyter's server."""


class InstanceEvent(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="event"
):
    """Something happened at one instance."""

    instance: str
    event: Event


class StartingMessage(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="starting"
):
    """How the start of an embedded instance goes; an empty text ends it."""

    text: str


FeedMessage: TypeAlias = InstancesMessage | InstanceEvent | StartingMessage
