"""Which number each replica has among those of its deployment. Pure.

A newcomer takes the number of the one it replaces, else the lowest that is free, which
is that of one that died. So numbers have gaps, and two may share one, while something
changes; once a deployment is up, `renumbered` closes the gaps and moves nobody else.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from itertools import count, filterfalse
from typing import TypeVar

from workbench.controller.replica_life import Replica
from workbench.controller.target import Target
from workbench.spec.ranks import ReplicaRank, Standing
from workbench.spec.status import ReplicaState

__all__ = ["first_standing", "renumbered", "standing_of_newcomer"]

Key = TypeVar("Key", bound=Hashable)

# From PLACED on a replica has a number; one that stops has given it up.
_NUMBERED = frozenset(
    {ReplicaState.STARTING, ReplicaState.RUNNING, ReplicaState.UPDATING}
)

_ALONE = Standing()


def first_standing(
    newcomer: Replica, others: Iterable[Replica], target: Target
) -> Standing:
    """What a replica is told that has just found its place."""
    app, spec = target.applications.get(newcomer.app), target.deployment(*newcomer.key)
    world_size = app.count(spec) if app and spec else 1
    return standing_of_newcomer(newcomer, others, world_size)


def standing_of_newcomer(
    newcomer: Replica, others: Iterable[Replica], world_size: int
) -> Standing:
    """The same, where it is known how many there should be."""
    peers = [
        each
        for each in others
        if each.key == newcomer.key
        and each.id != newcomer.id
        and each.state in _NUMBERED
    ]
    beside = [each for each in peers if each.node_id == newcomer.node_id]
    rank = ReplicaRank(
        rank=_lowest_free(each.standing.rank.rank for each in peers),
        node_rank=beside[0].standing.rank.node_rank
        if beside
        else _lowest_free(each.standing.rank.node_rank for each in peers),
        local_rank=_lowest_free(each.standing.rank.local_rank for each in beside),
    )
    for each in peers:
        if each.id == newcomer.replaces:
            old = each.standing.rank
            rank = ReplicaRank(
                rank=old.rank,
                node_rank=rank.node_rank,
                local_rank=old.local_rank if each in beside else rank.local_rank,
            )
    return Standing(rank=rank, world_size=world_size)


def renumbered(group: Collection[Replica]) -> dict[str, Standing]:
    """Those of a deployment that is up who must be told something else, and what."""
    if len(group) == 1:  # which most are, and it is asked at every turn
        return {each.id: _ALONE for each in group if each.standing != _ALONE}
    ranks = _without_gaps({each.id: each.standing.rank.rank for each in group})
    nodes = _without_gaps(
        # Of several replicas on a node, the one begun first says the node's number.
        {each.node_id: each.standing.rank.node_rank for each in reversed([*group])}
    )
    locals_: dict[str, int] = {}
    for node_id in nodes:
        there = [each for each in group if each.node_id == node_id]
        locals_ |= _without_gaps(
            {each.id: each.standing.rank.local_rank for each in there}
        )
    wanted = {
        each.id: Standing(
            rank=ReplicaRank(
                rank=ranks[each.id],
                node_rank=nodes[each.node_id],
                local_rank=locals_[each.id],
            ),
            world_size=len(group),
        )
        for each in group
    }
    return {
        each.id: wanted[each.id] for each in group if each.standing != wanted[each.id]
    }


def _lowest_free(taken: Iterable[int]) -> int:
    return next(filterfalse(set(taken).__contains__, count()))


def _without_gaps(numbers: Mapping[Key, int]) -> dict[Key, int]:
    """0..n-1: who has one of these keeps it, the first of those who share it."""
    given: dict[Key, int] = {}
    kept: dict[int, Key] = {}
    for key, number in numbers.items():
        if number < len(numbers) and number not in kept:
            kept[number] = key
            given[key] = number
    free = filterfalse(kept.__contains__, count())
    for key in numbers:
        if key not in given:
            given[key] = next(free)
    return given
