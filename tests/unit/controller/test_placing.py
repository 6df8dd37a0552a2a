"""Finding places: at most so many of a deployment on each node, however they start."""

import asyncio
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.world import make_spec, running
from workbench.controller.observed import Observed
from workbench.controller.placement import explain_cap, nodes_at_cap
from workbench.controller.placing import Placing
from workbench.controller.replica_life import Event, advance
from workbench.errors import PlacementError
from workbench.spec.status import ReplicaState


@dataclass(frozen=True)
class Held:
    node_id: str = ""
    problem: str = ""


class Places:
    """Nodes that take so many each; the first that has room is taken."""

    def __init__(self, **room):
        self.room = room
        self.held: dict[str, str] = {}
        self.asked = 0

    async def nodes(self):
        total = {"CPU": 1.0}
        return [SimpleNamespace(id=name, host="", total=total) for name in self.room]

    async def reserve(self, name, group):
        self.asked += 1
        await asyncio.sleep(0)
        for node, room in self.room.items():
            taken = list(self.held.values()).count(node)
            if node not in group.avoid and taken < room:
                self.held[name] = node
                return Held(node)
        return Held(problem="full")

    async def release(self, name):
        self.held.pop(name, None)


class Stage:
    """What starts replicas, and keeps what is told of them."""

    def __init__(self, places, *replicas):
        self.places = places
        self.observed = Observed(replicas)
        self.said = []
        self.on_wait = lambda: None
        self.placing = Placing(places, self.tell, self.observed, self.wait)

    def tell(self, replica_id, event, **changes):
        after = advance(self.observed[replica_id], event, **changes)
        self.observed[replica_id] = after
        if event is Event.WAITING:
            self.said.append(after.message)

    async def wait(self, _seconds):
        self.on_wait()
        await asyncio.sleep(0)

    async def start(self, replica):
        self.observed[replica.id] = replica
        node_id = await self.placing.hold(replica)
        self.tell(replica.id, Event.PLACED, node_id=node_id, message="")
        return node_id


def capped(number, cap=1, **changes):
    """One that has no place yet."""
    made = running(make_spec(max_replicas_per_node=cap), number)
    changes = {"node_id": "", "state": ReplicaState.PLACING} | changes
    return replace(made, **changes)


@given(
    room=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    cap=st.integers(1, 4),
    data=st.data(),
)
def test_no_node_has_more_than_it_may_however_many_start_at_once(room, cap, data):
    fit = sum(min(each, cap) for each in room)
    count = data.draw(st.integers(0, fit))
    places = Places(**{f"n{index}": each for index, each in enumerate(room)})

    async def start_all():
        stage = Stage(places)
        starts = (stage.start(capped(number, cap)) for number in range(count))
        return await asyncio.gather(*starts)

    nodes = asyncio.run(start_all())

    assert len(nodes) == count
    assert all(nodes.count(node) <= cap for node in nodes)


def test_where_all_are_full_the_cluster_is_not_asked_and_the_cap_is_named():
    first = capped(1, node_id="a", state=ReplicaState.RUNNING)
    stage = Stage(Places(a=9), first)

    def leave():
        del stage.observed[first.id]

    stage.on_wait = leave
    assert asyncio.run(stage.start(capped(2))) == "a"

    (said,) = stage.said
    assert "max_replicas_per_node is 1, and the only node has as many" in said
    assert "Ask for fewer replicas" in said
    assert stage.places.asked == 1


def test_a_node_without_room_is_said_beside_those_that_are_full():
    first = capped(1, node_id="a", state=ReplicaState.RUNNING)
    stage = Stage(Places(a=9, b=0), first)

    def make_room():
        stage.places.room["b"] = 1

    stage.on_wait = make_room
    assert asyncio.run(stage.start(capped(2))) == "b"

    (said,) = stage.said
    assert "needs 1 CPU" in said
    assert "1 of 2 nodes have as many" in said


def test_without_a_cap_the_cluster_chooses():
    first = running(make_spec(), 1)
    stage = Stage(Places(node=9), first)
    another = replace(running(make_spec(), 2), node_id="", state=ReplicaState.PLACING)

    assert asyncio.run(stage.start(another)) == "node"


def test_one_that_sits_down_in_its_predecessors_place_needs_no_other():
    stage = Stage(Places())

    assert asyncio.run(stage.start(capped(1, node_id="a"))) == "a"


def test_what_never_fits_is_an_error():
    class Small(Places):
        async def reserve(self, name, group):
            return Held(problem="infeasible")

    stage = Stage(Small(a=1))
    with pytest.raises(PlacementError, match="needs 1 CPU"):
        asyncio.run(stage.start(capped(1, cap=None)))


@pytest.mark.parametrize(
    ("changes", "is_full"),
    [
        ({}, True),
        ({"state": ReplicaState.STOPPING}, True),
        ({"spec": make_spec(placement="p0")}, False),
        ({"spec": make_spec("Other")}, False),
        ({"app": "other"}, False),
        ({"node_id": ""}, False),
    ],
    ids=str,
)
def test_who_counts_for_a_node(changes, is_full):
    other = replace(capped(1, node_id="a", state=ReplicaState.RUNNING), **changes)

    found = nodes_at_cap(capped(2), [other], 1)

    assert found == ({"a"} if is_full else set())


def test_the_sentence_counts_nodes():
    text = explain_cap("llm", 2, 3, 3)

    assert "'llm' cannot be placed: max_replicas_per_node is 2" in text
    assert "3 of 3 nodes have as many" in text
