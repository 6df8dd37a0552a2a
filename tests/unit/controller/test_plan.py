"""The plan: from target and observed to actions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.world import World, deployed, make_spec, running
from workbench.controller.plan import Start, Stop, Update, is_settled, plan
from workbench.controller.target import Target
from workbench.spec.status import ReplicaState, Step


def test_a_new_deployment_starts_all_its_replicas_at_once():
    spec = make_spec(num_replicas=3)

    actions = plan(deployed(spec), [], {}, now=0.0)

    assert actions == [Start(app="default", spec=spec)] * 3


def test_nothing_is_done_when_what_runs_is_what_should_run():
    spec = make_spec()

    assert plan(deployed(spec), [running(spec)], {}, now=0.0) == []


def test_a_replica_of_no_application_is_stopped():
    replica = running(make_spec())

    assert plan(Target(), [replica], {}, now=0.0) == [Stop(replica=replica.id)]


def test_changed_options_are_told_to_the_running_replica():
    old, new = make_spec(config="o1"), make_spec(config="o2")
    replica = running(old)

    actions = plan(deployed(new, before=[old]), [replica], {}, now=0.0)

    assert actions == [Update(replica=replica.id, spec=new, step=Step.RECONFIGURE)]


def test_changed_methods_are_taken_over_in_place_where_that_is_allowed():
    old, new = make_spec(code="c1"), make_spec(code="c2")
    replica = running(old)

    actions = plan(deployed(new, before=[old], may_keep=True), [replica], {}, now=0.0)

    assert actions == [Update(replica=replica.id, spec=new, step=Step.KEEP)]


def test_a_replica_that_refused_to_keep_is_swapped_in_its_own_place():
    old, new = make_spec(code="c1"), make_spec(code="c2")
    world = World(deployed(new, before=[old], may_keep=True), [running(old)])
    world.replicas = {
        key: type(each)(**{**_fields(each), "refused": "c2"})
        for key, each in world.replicas.items()
    }

    actions = world.run()

    start, stop = actions
    assert isinstance(start, Start)
    assert start.reservation == "place-1"
    assert stop == Stop(replica="Model-c1-1")


def test_changed_resources_need_a_reservation_of_their_own():
    old, new = make_spec(placement="p1"), make_spec(placement="p2")

    (start,) = plan(deployed(new, before=[old]), [running(old)], {}, now=0.0)

    assert start == Start(app="default", spec=new, replaces="Model-c1-1")


def test_a_replica_with_workers_beside_it_is_replaced_in_another_place():
    bundles = {"placement_group_bundles": ({"CPU": 1}, {"CPU": 1})}
    old, new = make_spec(code="c1", **bundles), make_spec(code="c2", **bundles)

    (start,) = plan(deployed(new, before=[old]), [running(old)], {}, now=0.0)

    assert isinstance(start, Start)
    assert start.reservation == ""


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 2),
        ({"rolling_update_percentage": 0.5}, 5),
        ({"max_surge_percent": 100}, 10),
    ],
)
def test_options_say_how_many_are_replaced_at_the_same_time(options, count):
    old = make_spec(code="c1", num_replicas=10)
    new = make_spec(code="c2", num_replicas=10, **options)
    replicas = [running(old, number) for number in range(10)]

    actions = plan(deployed(new, before=[old]), replicas, {}, now=0.0)

    assert sum(isinstance(each, Start) for each in actions) == count


@pytest.mark.parametrize("change", ["swap", "roll"])
@given(count=st.integers(1, 8))
def test_replacing_leaves_never_fewer_than_wanted(change, count):
    field = {"swap": "init", "roll": "placement"}[change]
    old = make_spec(num_replicas=count)
    new = make_spec(num_replicas=count, **{field: "other"})
    world = World(deployed(new, before=[old]), [running(old, n) for n in range(count)])

    world.run()

    assert world.fewest_routed >= count
    assert [each.spec for each in world.alive()] == [new] * count
    assert is_settled(world.target.applications["default"], world.alive())


@given(before=st.integers(1, 8), after=st.integers(1, 8))
def test_scaling_reaches_the_number_and_keeps_what_runs(before, after):
    old, new = make_spec(num_replicas=before), make_spec(num_replicas=after)
    world = World(deployed(new, before=[old]), [running(old, n) for n in range(before)])

    world.run()

    kept = [each for each in world.alive() if each.id.startswith("Model-")]
    assert len(world.alive()) == after
    assert len(kept) == min(before, after)


@given(
    before=st.integers(1, 6),
    after=st.integers(1, 6),
    change=st.sampled_from(["code", "init", "placement", "config"]),
    may_keep=st.booleans(),
)
def test_any_change_settles(before, after, change, may_keep):
    old = make_spec(num_replicas=before)
    new = make_spec(num_replicas=after, **{change: "other"})
    world = World(
        deployed(new, before=[old], may_keep=may_keep),
        [running(old, n) for n in range(before)],
    )

    world.run()

    assert is_settled(world.target.applications["default"], world.alive())
    assert world.fewest_routed >= min(before, after)


def test_large_deployments_are_replaced_in_waves():
    old, new = make_spec(num_replicas=10), make_spec(num_replicas=10, init="i2")

    actions = plan(
        deployed(new, before=[old]),
        [running(old, n) for n in range(10)],
        {},
        now=0.0,
    )

    assert len(actions) == 2


def test_a_deployment_that_keeps_failing_waits():
    spec = make_spec()
    retry_at = {("default", "Model"): 5.0}

    assert plan(deployed(spec), [], retry_at, now=4.9) == []
    assert len(plan(deployed(spec), [], retry_at, now=5.0)) == 1


def test_an_old_replica_that_is_still_coming_up_is_given_up():
    old, new = make_spec(code="c1"), make_spec(code="c2")
    coming = type(running(old))(
        **{**_fields(running(old)), "state": ReplicaState.STARTING}
    )

    actions = plan(deployed(new), [coming], {}, now=0.0)

    assert Stop(replica=coming.id) in actions
    assert Start(app="default", spec=new) in actions


def test_a_failed_first_deploy_runs_nothing():
    spec = make_spec()
    target = deployed(spec).fail("default", "why")

    assert plan(target, [], {}, now=0.0) == []
    assert not is_settled(target.applications["default"], [])


def test_a_failed_update_goes_back_to_what_served():
    old, new = make_spec(code="c1"), make_spec(code="c2", init="i2")
    target = deployed(new, before=[old]).fail("default", "why")
    world = World(target, [running(old)])

    assert world.run() == []
    assert target.applications["default"].failure == "why"
    assert target.applications["default"].is_live


def _fields(replica):
    return {name: getattr(replica, name) for name in replica.__slots__}
