"""A replica's number among those of its deployment: what its code is told of it."""

from dataclasses import dataclass, field

__all__ = ["ReplicaRank", "Standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRank:
    """Numbers from 0 on, without gaps once its deployment is up (Ray Serve's fields)."""

    rank: int = 0
    """Among all replicas of the deployment."""
    node_rank: int = 0
    """Of its node, among the nodes that have replicas of the deployment."""
    local_rank: int = 0
    """Among those on its node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a replica is told: its number, and of how many."""

    rank: ReplicaRank = field(default_factory=ReplicaRank)
    world_size: int = 1
    """Replicas asked for; not all of them need be running."""
