"""What `target_capacity` makes of numbers of replicas: Ray Serve's rules. Pure.

For handing traffic over from one cluster to another: a config file's `target_capacity`
is the percentage that runs here of every number of replicas its applications declare.
"""

import math
from dataclasses import dataclass

from workbench.spec.autoscaling import AutoscalingConfig

__all__ = ["Bounds", "bounds_at", "check_capacity", "is_growing", "share_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Between which numbers autoscaling may choose."""

    least: int
    most: int

    def clamp(self, number: int) -> int:
        """The nearest number that may be."""
        return max(self.least, min(number, self.most))


def share_of(number: int, percent: float | None) -> int:
    """So many per cent of a number, rounded half up; at least 1, except of or for 0."""
    if percent is None:
        return number
    if not number or not percent:
        return 0
    return max(1, math.floor(number * percent / 100 + 0.5))


def bounds_at(
    config: AutoscalingConfig, percent: float | None, *, is_growing: bool
) -> Bounds:
    """The share of both bounds.

    While the capacity grows, `initial_replicas` is the least: what takes over traffic
    must not begin with the minimum.
    """
    least = config.first if is_growing and percent is not None else config.min_replicas
    return Bounds(
        least=share_of(least, percent), most=share_of(config.max_replicas, percent)
    )


def is_growing(
    before: float | None, after: float | None, *, is_new: bool, was_growing: bool
) -> bool:
    """Whether an application is on its way up, after a deploy with another capacity.

    One that is new and begins with a part of its capacity is; one that had all of it
    is on its way down.
    """
    if after is None:
        return False
    if is_new:
        return True
    if before == after:
        return was_growing
    return before is not None and before < after


def check_capacity(given: float | None) -> None:
    """Refuse what is no percentage.

    Raises:
        ValueError: it is not between 0 and 100.
    """
    if given is not None and not 0 <= given <= 100:
        msg = f"target_capacity is a percentage, 0 to 100; got {given!r}."
        raise ValueError(msg)
