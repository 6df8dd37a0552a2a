"""What routers are told of a change comes to the same as the whole table."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.controller.world import make_request, make_spec, running
from workbench.controller.observed import Observed
from workbench.controller.table import TableBuilder, changed
from workbench.controller.target import RouteTakenError, Target
from workbench.routing.dispatch import Router
from workbench.spec.status import ReplicaState
from workbench.spec.table import Address

HERE = Address(host_id="h", path="/tmp/x.sock", host="127.0.0.1", port=1)
NAMES = st.sampled_from(["a", "b", "c"])

deploys = st.tuples(
    st.just("deploy"),
    NAMES,
    st.sampled_from(["/", "/a", "/a/b", None]),
    st.sets(st.sampled_from(["One", "Two", "Three"]), min_size=1),
    st.sampled_from(["c1", "c2"]),
)
replicas = st.tuples(
    st.just("replica"),
    NAMES,
    st.sampled_from(["One", "Two"]),
    st.integers(1, 3),
    st.sampled_from(ReplicaState),
)
ends = st.tuples(st.sampled_from(["delete", "fail"]), NAMES)


def take(step, target, observed):
    """One thing that can happen between two tables."""
    match step:
        case "deploy", name, route, models, code:
            specs = [make_spec(each, code=code) for each in sorted(models)]
            try:
                return target.deploy(make_request(*specs, name=name, route=route), 0.0)
            except RouteTakenError:
                return target
        case "delete", name:
            return target.delete(name)
        case "fail", name:
            return target.fail(name, "why") if name in target.applications else target
        case "replica", app, name, number, state:
            made = replace(
                running(make_spec(name), number, app=app), id=f"{app}-{name}-{number}"
            )
            if state is ReplicaState.STOPPED:
                if made.id in observed:
                    del observed[made.id]
            else:
                observed[made.id] = replace(made, state=state, address=HERE)
    return target


def known(router):
    """All that a router goes by."""
    return router._version, router._entries, router.routes(), router.ingresses


@given(st.lists(st.lists(st.one_of(deploys, replicas, ends), max_size=4), max_size=8))
def test_changes_one_after_the_other_come_to_the_last_table(turns):
    target, observed, builder = Target(), Observed(), TableBuilder()
    table = builder.build(target, observed, 0)
    follower = Router(name="follower", secret=b"", host_id="h")
    follower.update(table)

    for version, steps in enumerate(turns, start=1):
        for step in steps:
            target = take(step, target, observed)
        before, table = table, builder.build(target, observed, version)
        assert follower.change(changed(before, table))

    assert table == TableBuilder().build(target, observed, len(turns))
    whole = Router(name="whole", secret=b"", host_id="h")
    whole.update(table)
    assert known(follower) == known(whole)


def test_entries_that_still_hold_are_not_made_again():
    spec, other = make_spec("Model"), make_spec("Other")
    target = Target().deploy(make_request(spec, other), 0.0)
    first = replace(running(spec, 1), address=HERE)
    observed, builder = Observed([first]), TableBuilder()
    before = builder.build(target, observed, 1)
    observed["second"] = replace(running(spec, 2), id="second", address=HERE)

    after = builder.build(target, observed, 2)

    assert after.deployments[1] is before.deployments[1]
    assert [each.key for each in changed(before, after).deployments] == [
        "default#Model"
    ]


def test_a_change_of_another_table_is_not_taken():
    target, builder = Target(), TableBuilder()
    tables = [builder.build(target, Observed(), version) for version in range(3)]
    router = Router(name="late", secret=b"", host_id="h")
    router.update(tables[0])

    assert not router.change(changed(tables[1], tables[2]))
    assert router.change(changed(tables[0], tables[1]))
