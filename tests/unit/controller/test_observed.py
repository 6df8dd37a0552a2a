"""Replicas by id and by application."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.world import make_spec, running
from workbench.controller.observed import Observed
from workbench.spec.status import ReplicaState

NUMBERED = {
    number: running(make_spec(), number, app=f"app{number % 3}") for number in range(9)
}


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(sorted(NUMBERED)))))
def test_it_is_a_dict_that_knows_each_application_too(steps):
    plain = {}
    observed = Observed()
    for is_there, number in steps:
        replica = NUMBERED[number]
        if is_there:
            plain[replica.id] = observed[replica.id] = replica
        elif replica.id in observed:
            del observed[replica.id], plain[replica.id]

    assert list(observed.values()) == list(plain.values())
    for app in ("app0", "app1", "app2", "none"):
        expected = [each for each in plain.values() if each.app == app]
        assert list(observed.of(app)) == expected


def test_a_replica_that_changed_takes_the_place_of_what_it_was():
    replica = running(make_spec())
    observed = Observed([replica])
    observed[replica.id] = replace(replica, state=ReplicaState.STOPPING)

    (found,) = observed.of("default")
    assert found.state is ReplicaState.STOPPING
    assert observed[replica.id] is found
