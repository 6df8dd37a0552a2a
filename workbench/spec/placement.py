"""What is reserved for one replica: the bundles of its placement group."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.spec.deployment import DeploymentOptions

__all__ = ["GroupSpec", "Inside", "check_group", "group_of", "parse_rows"]

_MOST_CAP = 100
_STRATEGIES = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpec:
    """Bundles that are held together or not at all; the replica sits in the first."""

    bundles: tuple[dict[str, float], ...]
    strategy: str = "PACK"
    labels: tuple[dict[str, str], ...] = ()
    """Of the node that each bundle must be on; empty: of any."""
    avoid: tuple[str, ...] = ()
    """Ids of nodes that no bundle may be on."""

    def total(self) -> dict[str, float]:
        """All bundles together."""
        whole: Counter[str] = Counter()
        for bundle in self.bundles:
            whole.update(bundle)
        return dict(whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A process that Ray counts within a reservation, and what it uses of it."""

    reservation: str
    uses: dict[str, float]


def group_of(options: "DeploymentOptions") -> GroupSpec:
    """What a replica of a deployment needs."""
    actor = options.ray_actor_options
    if not options.placement_group_bundles:
        wanted = (actor.label_selector,) if actor.label_selector else ()
        return GroupSpec(bundles=(actor.bundle(),), labels=wanted)
    count = len(options.placement_group_bundles)
    labels = options.placement_group_bundle_label_selector
    return GroupSpec(
        bundles=options.placement_group_bundles,
        strategy=options.placement_group_strategy or "PACK",
        labels=labels * count if len(labels) == 1 else labels,
    )


def parse_rows(given: object) -> object:
    """A list as the tuple it is kept as; `check_group` sees to what is in it."""
    return tuple(given or ()) if isinstance(given, list | tuple | type(None)) else given


def check_group(options: "DeploymentOptions") -> None:
    """Refuse bundles that no replica could sit in.

    Raises:
        TypeError: something else than bundles.
        ValueError: they do not hold the replica, or do not fit together.
    """
    _check_cap(options.max_replicas_per_node, options)
    bundles = options.placement_group_bundles
    strategy = options.placement_group_strategy
    labels = options.placement_group_bundle_label_selector
    given: tuple[tuple[str, object], ...] = (
        ("bundles", bundles),
        ("bundle_label_selector", labels),
    )
    for name, rows in given:
        if not isinstance(rows, tuple):
            msg = f"placement_group_{name} is a list of dicts; got {rows!r}."
            raise TypeError(msg)
    for name, value in (
        ("placement_group_strategy", strategy),
        ("placement_group_bundle_label_selector", labels),
    ):
        if value and not bundles:
            msg = f"{name} needs placement_group_bundles."
            raise ValueError(msg)
    if strategy and strategy not in _STRATEGIES:
        there = ", ".join(_STRATEGIES)
        msg = f"placement_group_strategy is one of {there}; got {strategy!r}."
        raise ValueError(msg)
    if labels and len(labels) not in {1, len(bundles)}:
        msg = (
            "placement_group_bundle_label_selector has one entry for all bundles or "
            f"one for each of the {len(bundles)}; got {len(labels)}."
        )
        raise ValueError(msg)
    _check_bundles(bundles, options)


def _check_cap(cap: object, options: "DeploymentOptions") -> None:
    if cap is None:
        return
    msg = f"max_replicas_per_node is 1 to {_MOST_CAP}, or None; got {cap!r}."
    if isinstance(cap, bool) or not isinstance(cap, int):
        raise TypeError(msg)
    if not 1 <= cap <= _MOST_CAP:
        raise ValueError(msg)
    if options.placement_group_bundles:
        msg = "max_replicas_per_node and placement_group_bundles exclude each other."
        raise ValueError(msg)


def _check_bundles(
    bundles: tuple[dict[str, float], ...], options: "DeploymentOptions"
) -> None:
    for bundle in bundles:
        amounts: object = bundle
        if not isinstance(amounts, dict) or not amounts:
            msg = f"A placement group's bundle is a dict of amounts; got {bundle!r}."
            raise TypeError(msg)
        for name, amount in bundle.items():
            given: object = amount
            if not isinstance(given, int | float) or given < 0:
                msg = f"placement_group_bundles ask for {amount!r} {name}."
                raise ValueError(msg)
    if not bundles:
        return
    needs = options.ray_actor_options.bundle()
    for name, amount in needs.items():
        has = bundles[0].get(name, 0)
        if not name.startswith("accelerator_type:") and amount > has:
            msg = (
                f"The replica needs {amount:g} {name} by its ray_actor_options, and "
                f"the first of placement_group_bundles has {has:g}."
            )
            raise ValueError(msg)
