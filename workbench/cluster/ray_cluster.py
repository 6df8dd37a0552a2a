"""What the controller may ask of a Ray cluster: processes, reservations, a store.

Every method that talks to Ray synchronously runs in a thread, so that the caller's
loop never waits for one node. Ray carries control only: no request of a user passes
through here.
"""

import asyncio
from dataclasses import dataclass
from functools import cache
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.experimental import internal_kv
from ray.util.placement_group import (
    PlacementGroup,
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    PlacementGroupSchedulingStrategy,
)

from workbench.cluster.environment import packed
from workbench.spec.placement import GroupSpec, Inside
from workbench.spec.replica import is_reservation

__all__ = ["NAMESPACE", "Node", "Process", "RayCluster", "Reservation"]

NAMESPACE = "workbench"
_KV_NAMESPACE = b"workbench"
_KV_MARK = b"workbench:"
# One round of waiting for a reservation; a placement that fits takes 3-8 ms.
_PLACEMENT_ROUND_S = 1.0
# Every node has this label, by Ray.
_NODE_ID_LABEL = "ray.io/node-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One living node: what it has in all, and its address."""

    id: str
    host: str
    total: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Resources held for one replica, independent of the process that uses them."""

    name: str
    node_id: str = ""
    problem: str = ""
    """Why it is not held (yet): "infeasible" or "full"; else empty."""


class Process:
    """One process of ours: a named, detached actor."""

    def __init__(self, name: str, actor: Any) -> None:
        self.name = name
        self._actor = actor

    async def call(self, method: str, *args: object) -> object:
        """Run a method of the process and return what it returns.

        Raises:
            ProcessLookupError: the process is gone.
            Exception: whatever the method raised.
        """
        try:
            return await getattr(self._actor, method).remote(*args)
        except RayActorError as error:
            raise ProcessLookupError(str(error).splitlines()[0]) from None
        except RayTaskError as error:
            raise error.cause from None

    async def wait_for_death(self) -> str:
        """Return, once the process is gone, what Ray knows of the cause.

        The pending call costs no traffic and ends 15-22 ms after a SIGKILL.
        """
        try:
            await self._actor.wait_forever.remote()
        except RayError as error:
            return _first_cause(str(error))
        return "ended by itself"

    async def end(self) -> None:
        """End the process at once."""
        await asyncio.to_thread(ray.kill, self._actor, no_restart=True)


class RayCluster:
    """The cluster that this process is connected to."""

    async def start(  # noqa: PLR0913 - one keyword for each thing that Ray is told
        self,
        body: type,
        config: object,
        *,
        name: str,
        node_id: str | None = None,
        restarts: bool = False,
        runtime_env: dict[str, object] | None = None,
        inside: Inside | None = None,
    ) -> Process:
        """Start a process that holds no resources and outlives its creator.

        With `restarts` Ray starts it again whenever it dies, with the same config. One
        that is started `inside` a reservation uses up its share of the first bundle,
        and what it starts by Ray goes into the others.
        """
        options: dict[str, object] = {
            "name": name,
            "namespace": NAMESPACE,
            "lifetime": "detached",
            "num_cpus": 0,
            "max_restarts": -1 if restarts else 0,
            "max_task_retries": 0,
        }
        if node_id:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(
                node_id, soft=False
            )
        if inside is not None:
            options |= await asyncio.to_thread(_inside, inside)
        if runtime_env:
            options["runtime_env"] = await asyncio.to_thread(packed, runtime_env)
        make: Any = _actor_class(body).options(**options).remote
        return Process(name, await asyncio.to_thread(make, config))

    async def find(self, name: str) -> Process | None:
        """The running process of that name."""
        try:
            actor = await asyncio.to_thread(ray.get_actor, name, NAMESPACE)
        except ValueError:
            return None
        return Process(name, actor)

    @staticmethod
    async def is_restart() -> bool:
        """Whether Ray started this process in place of one that has died."""
        context = ray.get_runtime_context()
        return bool(
            await asyncio.to_thread(lambda: context.was_current_actor_reconstructed)
        )

    async def list_names(self) -> list[str]:
        """Names of all our processes that run or are being restarted."""
        rows = await asyncio.to_thread(ray.util.list_named_actors, all_namespaces=True)
        return [row["name"] for row in rows if row["namespace"] == NAMESPACE]

    async def nodes(self) -> list[Node]:
        """Living nodes, the head first."""
        rows = await asyncio.to_thread(ray.nodes)
        alive = [row for row in rows if row["Alive"]]
        alive.sort(key=lambda row: "node:__internal_head__" not in row["Resources"])
        return [
            Node(
                id=row["NodeID"],
                host=row["NodeManagerAddress"],
                total={
                    name: amount
                    for name, amount in row["Resources"].items()
                    if not name.startswith(("node:", "object_store"))
                },
            )
            for row in alive
        ]

    async def reserve(self, name: str, group: GroupSpec) -> Reservation:
        """Hold resources under a name; waits one round for them.

        Call again with the same name to go on waiting. Bundles of nothing need no
        placement group and are held at once, on the head if they may be there.
        """
        if not any(group.bundles):
            for node in await self.nodes():
                if node.id not in group.avoid:
                    return Reservation(name=name, node_id=node.id)
            return Reservation(name=name, problem="full")
        return await asyncio.to_thread(_reserve, name, group)

    async def release(self, name: str) -> None:
        """Give a reservation back; nothing happens if it is not held."""
        await asyncio.to_thread(_release, name)

    async def list_reservations(self) -> list[str]:
        """Names of all our reservations that are held or waited for."""
        rows = await asyncio.to_thread(placement_group_table)
        return [
            row["name"]
            for row in rows.values()
            if row["state"] != "REMOVED" and is_reservation(row["name"])
        ]

    async def gpu_ids(self, reservation: str, amount: float) -> tuple[str, ...]:
        """Which GPUs a reservation got, asked by a task inside it (4-9 ms warm)."""
        group = await asyncio.to_thread(get_placement_group, reservation)
        task = ray.remote(_own_gpu_ids).options(
            num_cpus=0,
            num_gpus=amount,
            max_retries=0,
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, 0),
        )
        ids: list[object] = await task.remote()
        return tuple(str(each) for each in ids)

    async def put(self, key: str, value: bytes) -> None:
        """Store a value in the cluster's key-value store (under 1 ms for 100 KB)."""
        await asyncio.to_thread(
            internal_kv._internal_kv_put,  # noqa: SLF001 - Ray has no public name for it
            _KV_MARK + key.encode(),
            value,
            overwrite=True,
            namespace=_KV_NAMESPACE,
        )

    async def get(self, key: str) -> bytes | None:
        """Read a stored value."""
        found: bytes | None = await asyncio.to_thread(
            internal_kv._internal_kv_get,  # noqa: SLF001 - as above
            _KV_MARK + key.encode(),
            namespace=_KV_NAMESPACE,
        )
        return found

    async def forget(self, key: str) -> None:
        """Delete a stored value."""
        await asyncio.to_thread(
            internal_kv._internal_kv_del,  # noqa: SLF001 - as above
            _KV_MARK + key.encode(),
            namespace=_KV_NAMESPACE,
        )


@cache
def _actor_class(body: type) -> Any:
    """Once for each: Ray stores every one that it makes, and keeps it for good."""
    return ray.remote(body)


def _inside(inside: Inside) -> dict[str, object]:
    """What makes an actor part of a reservation."""
    bundle = dict(inside.uses)
    return {
        "num_cpus": bundle.pop("CPU", 0),
        "num_gpus": bundle.pop("GPU", 0),
        "memory": bundle.pop("memory", None),
        "resources": {
            name: amount
            for name, amount in bundle.items()
            if not name.startswith("accelerator_type:")
        },
        "scheduling_strategy": PlacementGroupSchedulingStrategy(
            get_placement_group(inside.reservation),
            placement_group_bundle_index=0,
            placement_group_capture_child_tasks=True,
        ),
    }


def _reserve(name: str, wish: GroupSpec) -> Reservation:
    group = _named_group(name)
    if group is None:
        group = placement_group(
            list(wish.bundles),
            strategy=wish.strategy,
            name=name,
            lifetime="detached",
            bundle_label_selector=_labels(wish) or None,
        )
    if group.wait(_PLACEMENT_ROUND_S):
        nodes = placement_group_table(group)["bundles_to_node_id"]
        return Reservation(name=name, node_id=nodes[0])
    state = placement_group_table(group)["stats"]["scheduling_state"]
    return Reservation(
        name=name, problem="infeasible" if state == "INFEASIBLE" else "full"
    )


def _labels(wish: GroupSpec) -> list[dict[str, str]]:
    """What the node of each bundle must have, in Ray's own words."""
    if not wish.avoid:
        return list(wish.labels)
    others = {_NODE_ID_LABEL: f"!in({','.join(wish.avoid)})"}
    return [{**others, **each} for each in wish.labels or ({},) * len(wish.bundles)]


def _named_group(name: str) -> PlacementGroup | None:
    try:
        group: PlacementGroup = get_placement_group(name)
    except ValueError:
        return None
    return group


def _release(name: str) -> None:
    group = _named_group(name)
    if group is not None:
        remove_placement_group(group)


def _own_gpu_ids() -> list[object]:
    return list(ray.get_gpu_ids())


def _first_cause(text: str) -> str:
    """The line of Ray's long death notice that names the cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if "exit" in line.lower() or "killed" in line.lower():
            return line
    return lines[0] if lines else "cause unknown"
