"""Which of the replicas that have room takes a call. Pure.

One policy object per deployment and router. `admission` asks it and does the counting.
"""

import bisect
import hashlib
import importlib
import itertools
import logging
import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from workbench.request import Extras
from workbench.routing.slots import Slots
from workbench.spec.routing import RoutingSpec

__all__ = [
    "ConsistentHash",
    "LeastLoaded",
    "Policy",
    "PowerOfTwoChoices",
    "RoundRobin",
    "make_policy",
]

_log = logging.getLogger(__name__)


class Policy(Protocol):
    """Chooses a replica."""

    def choose(self, replicas: Sequence[Slots], extras: Extras | None) -> Slots | None:
        """One that has room, or None to let the call wait."""


class LeastLoaded:
    """The replica that has the fewest of our calls; the default.

    Among equals the one that waited longest for a call is taken, and those on this host
    before others, as long as they have room.
    """

    def choose(
        self,
        replicas: Sequence[Slots],
        extras: Extras | None,  # noqa: ARG002 - as the protocol has it
    ) -> Slots | None:
        return _least(replicas, near=True) or _least(replicas, near=False)


def _least(replicas: Sequence[Slots], *, near: bool) -> Slots | None:
    best = None
    for slots in replicas:
        if slots.is_near is not near or slots.ongoing >= slots.limit:
            continue
        if (
            best is None
            or slots.ongoing < best.ongoing
            or (slots.ongoing == best.ongoing and slots.last < best.last)
        ):
            best = slots
    return best


class PowerOfTwoChoices:
    """The less loaded of two that are drawn by lot (Mitzenmacher, IEEE TPDS 2001).

    For many routers that each know little: they do not all run to the same replica.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret

    def choose(
        self,
        replicas: Sequence[Slots],
        extras: Extras | None,  # noqa: ARG002 - as the protocol has it
    ) -> Slots | None:
        free = [slots for slots in replicas if slots.has_room]
        if len(free) > 2:
            free = self._random.sample(free, 2)
        return min(free, key=lambda slots: slots.ongoing, default=None)


class RoundRobin:
    """One after the other, whatever they have to do."""

    def __init__(self) -> None:
        self._turn = 0

    def choose(
        self,
        replicas: Sequence[Slots],
        extras: Extras | None,  # noqa: ARG002 - as the protocol has it
    ) -> Slots | None:
        for step in range(len(replicas)):
            slots = replicas[(self._turn + step) % len(replicas)]
            if slots.has_room:
                self._turn = (self._turn + step + 1) % len(replicas)
                return slots
        return None


class ConsistentHash:
    """Calls of one session, or else for one model, go to the same replica.

    Replicas stand on a ring at many points each (Karger et al., STOC 1997): when one
    comes or goes, only the sessions between it and its neighbours move. If the one that
    a key leads to has no room, the next `num_fallback_replicas` on the ring are tried,
    then the call waits. Calls without a key go to the least loaded. Only replicas that
    this process has reached stand on its ring: the first calls of all may go elsewhere.
    """

    def __init__(
        self, num_virtual_nodes: int = 100, num_fallback_replicas: int = 2
    ) -> None:
        self._points_each = num_virtual_nodes
        self._fallbacks = num_fallback_replicas
        self._without_key = LeastLoaded()
        self._known: frozenset[str] = frozenset()
        self._points: list[int] = []
        self._names: list[str] = []

    def choose(self, replicas: Sequence[Slots], extras: Extras | None) -> Slots | None:
        key = "" if extras is None else extras.session_id or extras.model_id
        if not key:
            return self._without_key.choose(replicas, extras)
        found = {slots.replica: slots for slots in replicas}
        self._draw_ring(frozenset(found))
        for name in itertools.islice(self._from(key), self._fallbacks + 1):
            if found[name].has_room:
                return found[name]
        return None

    def _draw_ring(self, names: frozenset[str]) -> None:
        if names != self._known:
            self._known = names
            ring = sorted(
                (_place(f"{name}:{number}"), name)
                for name in names
                for number in range(self._points_each)
            )
            self._points = [point for point, _ in ring]
            self._names = [name for _, name in ring]

    def _from(self, key: str) -> "itertools.chain[str] | dict[str, None]":
        """All replicas, each once, in the order of the ring from the key on."""
        start = bisect.bisect(self._points, _place(key))
        return dict.fromkeys(itertools.chain(self._names[start:], self._names[:start]))


def make_policy(spec: RoutingSpec) -> Policy:
    """The policy that a deployment asks for; the default where its own cannot be made.

    One of the user's own is imported in every process that calls the deployment.
    """
    known = _KNOWN.get(spec.policy)
    try:
        if known is None:
            module, _, name = spec.policy.partition(":")
            known = getattr(importlib.import_module(module), name)
        made: Policy = known(**spec.arguments)
    except Exception:  # noqa: BLE001 - whatever user code may raise
        _log.exception("Routing policy %s cannot be used here", spec.policy)
        return LeastLoaded()
    return made if spec.policy in _KNOWN else _Guarded(made)


class _Guarded:
    """A policy of the user's own: when it fails, calls go on by the default one."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._default = LeastLoaded()
        self._has_failed = False

    def choose(self, replicas: Sequence[Slots], extras: Extras | None) -> Slots | None:
        try:
            slots = self._policy.choose(replicas, extras)
            if slots is None or slots.has_room:
                return slots
        except Exception:  # noqa: BLE001 - as above
            if not self._has_failed:
                self._has_failed = True
                _log.exception("A routing policy failed; the default one decides")
        return self._default.choose(replicas, extras)


def _place(text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


_KNOWN: dict[str, Callable[..., Any]] = {
    "least_loaded": LeastLoaded,
    "power_of_two": PowerOfTwoChoices,
    "round_robin": RoundRobin,
    "consistent_hash": ConsistentHash,
}
