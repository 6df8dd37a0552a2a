"""Numbers of replicas: without gaps in the end, and nobody moves who need not."""

from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.world import World, deployed, make_spec, running
from workbench.controller.plan import Renumber, Start, Stop
from workbench.controller.ranks import renumbered, standing_of_newcomer
from workbench.spec.ranks import ReplicaRank, Standing
from workbench.spec.status import ReplicaState


def numbered(number, *, node="node", rank=None, node_rank=0, local_rank=0, of=3):
    """A replica that runs, and what it was told."""
    rank = number if rank is None else rank
    told = ReplicaRank(rank=rank, node_rank=node_rank, local_rank=local_rank)
    standing = Standing(rank=told, world_size=of)
    return replace(running(make_spec(), number), node_id=node, standing=standing)


def newcomer(node="node", replaces=""):
    state = ReplicaState.STARTING
    made = replace(running(make_spec(), 99), state=state, node_id=node)
    return replace(made, replaces=replaces)


def told(standing):
    rank = standing.rank
    return rank.rank, rank.node_rank, rank.local_rank, standing.world_size


def test_the_first_one_is_number_0():
    assert told(standing_of_newcomer(newcomer(), [], 3)) == (0, 0, 0, 3)


def test_a_newcomer_takes_the_lowest_number_that_is_free():
    others = [numbered(0, local_rank=0), numbered(2, local_rank=1)]

    assert told(standing_of_newcomer(newcomer(), others, 3)) == (1, 0, 2, 3)


def test_a_successor_has_the_number_of_the_one_it_replaces():
    others = [numbered(0), numbered(1, local_rank=1), numbered(2, local_rank=2)]

    found = standing_of_newcomer(newcomer(replaces=others[1].id), others, 3)

    assert told(found) == (1, 0, 1, 3)


def test_a_successor_on_another_node_is_numbered_there():
    others = [numbered(0), numbered(1, node="b", node_rank=1)]

    found = standing_of_newcomer(newcomer("b", replaces=others[0].id), others, 2)

    assert told(found) == (0, 1, 1, 2)


@pytest.mark.parametrize("state", [ReplicaState.STOPPING, ReplicaState.PLACING])
def test_who_leaves_or_has_no_place_yet_holds_no_number(state):
    other = replace(numbered(0), state=state)

    assert told(standing_of_newcomer(newcomer(), [other], 1)) == (0, 0, 0, 1)


def test_other_deployments_have_numbers_of_their_own():
    other = running(make_spec("Other"))

    assert told(standing_of_newcomer(newcomer(), [other], 1)) == (0, 0, 0, 1)


def test_a_gap_is_closed_by_the_one_who_is_beyond_it():
    group = [numbered(2, local_rank=2), numbered(0), numbered(1, local_rank=1)]

    assert renumbered(group) == {}
    assert renumbered(group[:2]) == {
        "Model-c1-2": Standing(rank=ReplicaRank(rank=1, local_rank=1), world_size=2),
        "Model-c1-0": Standing(world_size=2),
    }


def test_the_only_one_left_is_number_0_of_1():
    assert renumbered([numbered(2, node_rank=1)]) == {"Model-c1-2": Standing()}


NUMBERS = st.integers(0, 9)
GROUPS = st.lists(
    st.tuples(st.sampled_from("abc"), NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=8
)


@given(GROUPS)
def test_in_the_end_all_numbers_are_without_gaps(given_numbers):
    group = [
        numbered(index, node=node, rank=rank, node_rank=node_rank, local_rank=local)
        for index, (node, rank, node_rank, local) in enumerate(given_numbers)
    ]

    after = renumbered(group)
    settled = [replace(e, standing=after.get(e.id, e.standing)) for e in group]

    assert renumbered(settled) == {}
    assert {each.standing.world_size for each in settled} == {len(group)}
    assert sorted(e.standing.rank.rank for e in settled) == list(range(len(group)))
    nodes = defaultdict(list)
    for each in settled:
        nodes[each.node_id].append(each.standing.rank)
    assert sorted({rank.node_rank for there in nodes.values() for rank in there}) == (
        list(range(len(nodes)))
    )
    for there in nodes.values():
        assert len({rank.node_rank for rank in there}) == 1
        assert sorted(rank.local_rank for rank in there) == list(range(len(there)))


@given(st.sets(st.integers(0, 20), min_size=1, max_size=8))
def test_who_can_keep_a_number_keeps_it(held):
    group = [numbered(number, of=len(held)) for number in held]

    after = renumbered(group)

    for each in group:
        if each.standing.rank.rank < len(group):
            standing = after.get(each.id, each.standing)
            assert standing.rank.rank == each.standing.rank.rank


@given(count=st.integers(1, 6), change=st.sampled_from(["init", "placement"]))
def test_a_swap_or_roll_renumbers_nobody(count, change):
    old = make_spec(num_replicas=count)
    world = World(deployed(old), [])
    world.run()
    before = {each.id: each.standing for each in world.alive()}
    new = make_spec(num_replicas=count, **{change: "other"})
    world.target = deployed(new, before=[old])

    while actions := world.turn():
        assert all(isinstance(each, Start | Stop) for each in actions)

    after = {each.replaces: each.standing for each in world.alive()}
    assert after == before


@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    deaths=st.lists(st.integers(0, 5), max_size=5),
)
def test_whatever_dies_and_however_it_is_scaled_numbers_close_up(counts, deaths):
    world = World(deployed(make_spec(num_replicas=counts[0])), [])
    world.run()
    for count in counts:
        world.target = deployed(make_spec(num_replicas=count))
        for death in deaths:
            alive = world.alive()
            del world.replicas[alive[death % len(alive)].id]
            world.turn()
        while world.turn():
            pass

        told_of = sorted(told(each.standing) for each in world.alive())
        assert told_of == [(n, 0, n, count) for n in range(count)]


def test_a_replacement_of_one_that_died_has_its_number_and_nobody_is_told():
    world = World(deployed(make_spec(num_replicas=3)), [])
    world.run()
    dead = world.alive()[1]
    del world.replicas[dead.id]

    while actions := world.turn():
        assert not any(isinstance(each, Renumber) for each in actions)

    assert world.alive()[-1].standing == dead.standing
