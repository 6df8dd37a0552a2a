"""What runs: every replica, by id and by application.

Held by `controller`, which alone changes it. What is asked of one application costs no
more the more others there are.
"""

from collections.abc import Collection, Iterable, Iterator, ValuesView

from workbench.controller.replica_life import ALIVE, Replica
from workbench.spec.placement import group_of

__all__ = ["Observed", "by_deployment"]

Key = tuple[str, str]


class Observed:
    """A dict of replicas by id that knows those of each application, too."""

    def __init__(self, replicas: Iterable[Replica] = ()) -> None:
        self._all: dict[str, Replica] = {}
        self._apps: dict[str, dict[str, Replica]] = {}
        for each in replicas:
            self[each.id] = each

    def of(self, app: str) -> Collection[Replica]:
        """Replicas of one application, in the order in which they were begun."""
        return self._apps.get(app, {}).values()

    def get(self, replica_id: str) -> Replica | None:
        """The replica of that id, if there is one."""
        return self._all.get(replica_id)

    def values(self) -> ValuesView[Replica]:
        """All replicas, in the order in which they were begun."""
        return self._all.values()

    def reservations(self) -> set[str]:
        """Names of all places that replicas hold or are about to."""
        return {each.reservation for each in self._all.values()}

    def holders(self, replica: Replica) -> list[tuple[str, dict[str, float]]]:
        """What each other replica that lives somewhere holds there, by deployment."""
        return [
            (
                f"{each.app}#{each.spec.name}",
                group_of(each.spec.options).total(),
            )
            for each in self._all.values()
            if each.id != replica.id and each.state in ALIVE and each.node_id
        ]

    def __getitem__(self, replica_id: str) -> Replica:
        return self._all[replica_id]

    def __setitem__(self, replica_id: str, replica: Replica) -> None:
        self._all[replica_id] = replica
        self._apps.setdefault(replica.app, {})[replica_id] = replica

    def __delitem__(self, replica_id: str) -> None:
        app = self._all.pop(replica_id).app
        del self._apps[app][replica_id]
        if not self._apps[app]:
            del self._apps[app]

    def __contains__(self, replica_id: str) -> bool:
        return replica_id in self._all

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def by_deployment(replicas: Iterable[Replica]) -> dict[Key, list[Replica]]:
    """The same replicas, in one pass."""
    groups: dict[Key, list[Replica]] = {}
    for each in replicas:
        groups.setdefault((each.app, each.spec.name), []).append(each)
    return groups
