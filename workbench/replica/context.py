"""What user code may ask of the replica it runs in: `serve.get_replica_context()`."""

from contextvars import ContextVar
from dataclasses import dataclass, field

from workbench.errors import WorkbenchError
from workbench.spec.ranks import ReplicaRank

__all__ = ["ReplicaContext", "get_replica_context", "here", "set_replica_context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaContext:
    """Where the current code runs."""

    app_name: str
    deployment: str
    replica_tag: str
    """`app#deployment#id`."""
    replica_id: str
    servable_object: object = None
    """The user's instance or function; None while its constructor runs."""
    rank: ReplicaRank = field(default_factory=ReplicaRank)
    """Its number among the replicas of the deployment; it may change when these do."""
    world_size: int = 1
    """Replicas asked for; not all of them need be running."""
    code_version: str = ""


_current: ReplicaContext | None = None
here: ContextVar[ReplicaContext | None] = ContextVar("workbench_replica", default=None)
"""In local testing mode, where a process is many replicas: the one that code runs in."""


def get_replica_context() -> ReplicaContext:
    """Where the current code runs; works in constructors, too.

    Raises:
        WorkbenchError: not called in a replica.
    """
    if (local := here.get()) is not None:
        return local
    if _current is None:
        msg = "get_replica_context() was called outside a replica."
        raise WorkbenchError(msg, "Call it in a deployment's methods or constructor.")
    return _current


def set_replica_context(context: ReplicaContext | None) -> None:
    """Say what this process is; called by `process` and, with None, by tests."""
    global _current  # noqa: PLW0603 - a process is one replica
    _current = context
