"""The life of a replica: every state, every event, and where each leads.

Two rules: what is not in the table is a bug and raises; nothing else in the package
changes a replica's state.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from workbench.spec.deployment import DeploymentSpec, Version
from workbench.spec.ranks import Standing
from workbench.spec.status import ReplicaState
from workbench.spec.table import Address

__all__ = ["IF_BROKEN", "TRANSITIONS", "Event", "Replica", "advance"]

S = ReplicaState


class Event(StrEnum):
    """What can happen to a replica."""

    WAITING = "waiting"
    PLACED = "placed"
    SEATED = "seated"
    LOADED = "loaded"
    UPDATE_BEGUN = "update begun"
    UPDATE_ENDED = "update ended"
    FAILED = "failed"
    SICK = "sick"
    STOP = "stop"
    STOPPED = "stopped"
    DIED = "died"


E = Event
TRANSITIONS: dict[tuple[ReplicaState, Event], ReplicaState] = {
    (S.PLACING, E.WAITING): S.PLACING,
    (S.PLACING, E.PLACED): S.STARTING,
    (S.PLACING, E.FAILED): S.FAILED,
    (S.PLACING, E.STOP): S.STOPPING,
    (S.STARTING, E.SEATED): S.STARTING,
    (S.STARTING, E.LOADED): S.RUNNING,
    (S.STARTING, E.FAILED): S.FAILED,
    (S.STARTING, E.DIED): S.FAILED,
    (S.STARTING, E.STOP): S.STOPPING,
    (S.RUNNING, E.UPDATE_BEGUN): S.UPDATING,
    (S.RUNNING, E.STOP): S.STOPPING,
    (S.RUNNING, E.SICK): S.STOPPING,
    (S.RUNNING, E.DIED): S.FAILED,
    (S.UPDATING, E.UPDATE_ENDED): S.RUNNING,
    (S.UPDATING, E.SICK): S.STOPPING,
    (S.UPDATING, E.STOP): S.STOPPING,
    (S.UPDATING, E.DIED): S.FAILED,
    # A replica told to stop may still be on its way up; none of that matters now.
    (S.STOPPING, E.WAITING): S.STOPPING,
    (S.STOPPING, E.PLACED): S.STOPPING,
    (S.STOPPING, E.SEATED): S.STOPPING,
    (S.STOPPING, E.LOADED): S.STOPPING,
    (S.STOPPING, E.FAILED): S.STOPPING,
    (S.STOPPING, E.UPDATE_ENDED): S.STOPPING,
    (S.STOPPING, E.SICK): S.STOPPING,
    (S.STOPPING, E.STOPPED): S.STOPPED,
    (S.STOPPING, E.DIED): S.STOPPED,
}
IF_BROKEN: dict[ReplicaState, Event] = {
    S.PLACING: E.FAILED,
    S.STARTING: E.FAILED,
    S.UPDATING: E.UPDATE_ENDED,
    S.STOPPING: E.STOPPED,
}
"""What the end of its work means that broke in a way nobody foresaw."""
ALIVE = frozenset({S.PLACING, S.STARTING, S.RUNNING, S.UPDATING})
ROUTED = frozenset({S.RUNNING, S.UPDATING})
"""States in which a replica takes calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One replica as observed."""

    id: str
    app: str
    spec: DeploymentSpec
    """What it runs, or while UPDATING what it is turning into."""
    state: ReplicaState = S.PLACING
    reservation: str
    replaces: str = ""
    """Id of the replica it takes over from, in a swap or roll."""
    refused: str = ""
    """Code version that it could not take over in place."""
    address: Address | None = None
    process: str = ""
    """Name of the process it runs in."""
    node_id: str = ""
    pid: int = 0
    standing: Standing = field(default_factory=Standing)
    """What it is told of its number; decided when it is placed."""
    can_drain: bool = True
    """It can still let running calls end; not if its event loop does not turn."""
    message: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Application and deployment."""
        return self.app, self.spec.name

    @property
    def version(self) -> Version:
        """Version of `spec`."""
        return self.spec.version


def advance(replica: Replica, event: Event, **changes: object) -> Replica:
    """The replica after an event, with what the event told about it.

    Raises:
        ValueError: the event cannot happen in the replica's state.
    """
    state = TRANSITIONS.get((replica.state, event))
    if state is None:
        msg = f"Replica {replica.id} in state {replica.state} cannot take {event!r}."
        raise ValueError(msg)
    return replace(replica, state=state, **changes)  # type: ignore[arg-type]
