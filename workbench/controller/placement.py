"""Which nodes have enough of a deployment, and why a replica has no place. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from workbench.controller.replica_life import Replica

__all__ = ["explain", "explain_cap", "nodes_at_cap"]


def nodes_at_cap(newcomer: Replica, others: Iterable[Replica], cap: int) -> set[str]:
    """Nodes that hold `cap` replicas of the newcomer's deployment already.

    One that stops counts until it is gone. Those with another placement, which leave as
    new ones come, do not: else no node that is full could ever be updated.
    """
    counts = Counter(
        each.node_id
        for each in others
        if each.key == newcomer.key
        and each.node_id
        and each.id != newcomer.id
        and each.version.placement == newcomer.version.placement
    )
    return {node_id for node_id, count in counts.items() if count >= cap}


def explain(
    deployment: str,
    *,
    bundle: dict[str, float],
    labels: dict[str, str],
    nodes: Sequence[dict[str, float]],
    holders: Collection[tuple[str, dict[str, float]]],
) -> str:
    """One sentence on why `bundle` fits nowhere.

    `nodes` are each node's total resources, `holders` name what each other deployment
    holds of them.
    """
    needs = _amounts(bundle) + (f" on a node with {labels}" if labels else "")
    largest = {
        name: max((node.get(name, 0.0) for node in nodes), default=0.0)
        for name in bundle
    }
    short = [name for name, amount in bundle.items() if amount > largest[name]]
    if short or labels:
        has = _amounts({name: largest[name] for name in bundle})
        return (
            f"A replica of {deployment!r} needs {needs}; "
            f"the largest node of the cluster has {has}."
        )
    taken = "; ".join(
        f"{name} holds {_amounts(part)}"
        for name, held in holders
        if (part := {key: held[key] for key in bundle if key in held})
    )
    total = {name: sum(node.get(name, 0.0) for node in nodes) for name in bundle}
    return (
        f"A replica of {deployment!r} needs {needs}; the cluster has "
        f"{_amounts(total)} in all, and it is taken: {taken or 'by other Ray work'}."
    )


def explain_cap(deployment: str, cap: int, nodes: int, full: int) -> str:
    """One sentence on nodes that hold enough of a deployment, and one on what to do."""
    which = f"{full} of {nodes} nodes have" if nodes > 1 else "the only node has"
    return (
        f"A replica of {deployment!r} cannot be placed: max_replicas_per_node is {cap}, "
        f"and {which} as many. Ask for fewer replicas or allow more on a node, or add a "
        "node."
    )


def _amounts(resources: dict[str, float]) -> str:
    if not resources:
        return "nothing"
    return " and ".join(
        f"{_bytes(amount)} memory" if name == "memory" else f"{amount:g} {name}"
        for name, amount in resources.items()
    )


def _bytes(amount: float) -> str:
    return f"{amount / 2**30:.2f} GiB"
