"""Holds a place in the cluster for each replica that starts, or says why there is none.

Called by `work`; what to say and which nodes are full is decided in `placement`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol
from weakref import WeakValueDictionary

from workbench.controller.observed import Observed
from workbench.controller.placement import explain, explain_cap, nodes_at_cap
from workbench.controller.replica_life import Event, Replica
from workbench.errors import PlacementError
from workbench.spec.placement import GroupSpec, group_of

__all__ = ["Places", "Placing", "Tell"]

# How long a replica may wait for a place that others hold, before the deploy fails.
_WAIT_FOR_PLACE_S = 10.0
# How often one is looked for that a cap forbids; the cluster is not even asked.
_LOOK_AGAIN_S = 1.0


class Tell(Protocol):
    """Receives what happened to a replica."""

    def __call__(self, replica_id: str, event: Event, **changes: object) -> None: ...


class Places(Protocol):
    """What this needs of the cluster: reservations and nodes."""

    async def reserve(self, name: str, group: GroupSpec) -> "_Reservation": ...
    async def release(self, name: str) -> None: ...
    async def nodes(self) -> Sequence["_Node"]: ...
    async def gpu_ids(self, reservation: str, amount: float) -> tuple[str, ...]: ...


class _Reservation(Protocol):
    @property
    def node_id(self) -> str: ...
    @property
    def problem(self) -> str: ...


class _Node(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def total(self) -> dict[str, float]: ...


class Placing:
    """Finds places; tells while it waits for one."""

    def __init__(
        self,
        places: Places,
        tell: Tell,
        observed: Observed,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._places = places
        self._tell = tell
        self._observed = observed
        self._sleep = sleep
        # Of deployments with a cap: one replica after the other is placed.
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = (
            WeakValueDictionary()
        )

    async def hold(self, replica: Replica) -> str:
        """Hold the replica's resources; returns the node they are on.

        Whoever calls must tell that it is placed without waiting for anything: by that
        the next one of its deployment knows how many its node has.

        Raises:
            PlacementError: there is no place, and none became free.
        """
        if replica.node_id:
            return replica.node_id  # sits down where its predecessor sat
        started = asyncio.get_running_loop().time()
        while True:
            node_id, why, is_final = await self._try(replica)
            if node_id:
                return node_id
            waited_s = asyncio.get_running_loop().time() - started
            if is_final or waited_s >= _WAIT_FOR_PLACE_S:
                raise PlacementError(why)
            self._tell(replica.id, Event.WAITING, message=why)

    async def _try(self, replica: Replica) -> tuple[str, str, bool]:
        """A node; or why there is none, and whether there will never be one."""
        group = group_of(replica.spec.options)
        cap = replica.spec.options.max_replicas_per_node
        if cap is None:
            held = await self._places.reserve(replica.reservation, group)
            if not held.problem:
                return held.node_id, "", False
            why = await self._why(replica, group)
            return "", why, held.problem == "infeasible"
        turn = self._turns.setdefault(replica.key, asyncio.Lock())
        async with turn:
            node_id, why = await self._try_below(cap, replica, group)
        if not node_id:
            await self._sleep(_LOOK_AGAIN_S)
        return node_id, why, False

    async def _try_below(
        self, cap: int, replica: Replica, group: GroupSpec
    ) -> tuple[str, str]:
        """A node that has room for one more of the deployment; or why there is none."""
        nodes = {node.id for node in await self._places.nodes()}
        peers = self._observed.of(replica.app)
        full = nodes_at_cap(replica, peers, cap) & nodes
        if full == nodes:
            return "", explain_cap(replica.spec.name, cap, len(nodes), len(full))
        group = replace(group, avoid=tuple(sorted(full)))
        held = await self._places.reserve(replica.reservation, group)
        if not held.problem and held.node_id not in full:
            return held.node_id, ""
        # Left in the queue, it might get a place on a node that is full by then.
        await self._places.release(replica.reservation)
        why = await self._why(replica, group)
        if full:
            why += " " + explain_cap(replica.spec.name, cap, len(nodes), len(full))
        return "", why

    async def _why(self, replica: Replica, group: GroupSpec) -> str:
        nodes = await self._places.nodes()
        return explain(
            replica.spec.name,
            bundle=group.total(),
            labels=group.labels[0] if group.labels else {},
            nodes=[node.total for node in nodes if node.id not in group.avoid],
            holders=self._observed.holders(replica),
        )
