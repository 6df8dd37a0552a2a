"""Saying why a replica has no place: what it needs, what there is, who holds it. Pure."""

from collections.abc import Collection, Sequence

__all__ = ["explain"]


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


def _amounts(resources: dict[str, float]) -> str:
    if not resources:
        return "nothing"
    return " and ".join(
        f"{_bytes(amount)} memory" if name == "memory" else f"{amount:g} {name}"
        for name, amount in resources.items()
    )


def _bytes(amount: float) -> str:
    return f"{amount / 2**30:.2f} GiB"
