"""The life of a replica is a table, and nothing but the table."""

import pytest

from tests.unit.controller.world import make_spec, running
from workbench.controller.replica_life import (
    ALIVE,
    IF_BROKEN,
    TRANSITIONS,
    Event,
    advance,
)
from workbench.spec.status import ReplicaState


def test_every_state_but_the_last_two_has_a_way_out():
    left = {state for state, _ in TRANSITIONS}

    assert set(ReplicaState) - left == {ReplicaState.STOPPED, ReplicaState.FAILED}


def test_every_living_state_can_be_stopped():
    for state in ALIVE:
        assert TRANSITIONS[state, Event.STOP] is ReplicaState.STOPPING


def test_a_replica_with_a_process_can_die_in_every_state():
    for state in (
        ReplicaState.STARTING,
        ReplicaState.RUNNING,
        ReplicaState.UPDATING,
        ReplicaState.STOPPING,
    ):
        assert (state, Event.DIED) in TRANSITIONS


def test_an_event_that_cannot_happen_names_itself_and_the_state():
    with pytest.raises(ValueError, match=r"RUNNING.*placed"):
        advance(running(make_spec()), Event.PLACED)


def test_an_event_carries_what_it_tells():
    dead = advance(running(make_spec()), Event.DIED, message="killed")

    assert (dead.state, dead.message) == (ReplicaState.FAILED, "killed")


def test_work_that_breaks_ends_in_a_state_that_its_replica_can_reach():
    for state, event in IF_BROKEN.items():
        assert (state, event) in TRANSITIONS
