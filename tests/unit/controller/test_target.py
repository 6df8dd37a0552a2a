"""What should run, and how a failed deploy goes back."""

from dataclasses import replace

import pytest

from tests.unit.controller.world import deployed, make_request, make_spec
from workbench.controller.target import RouteTakenError, Target
from workbench.errors import ScaleError, UnknownDeploymentError
from workbench.spec.autoscaling import AutoscalingConfig, AutoscalingPolicy


def test_two_applications_cannot_have_one_route():
    target = Target().deploy(make_request(make_spec(), name="a"), now=0.0)

    with pytest.raises(RouteTakenError, match="belongs to application 'a'"):
        target.deploy(make_request(make_spec(), name="b"), now=0.0)


def test_applications_without_a_route_do_not_collide():
    target = Target().deploy(make_request(make_spec(), name="a", route=None), now=0.0)

    target = target.deploy(make_request(make_spec(), name="b", route=None), now=0.0)

    assert set(target.applications) == {"a", "b"}


def test_a_second_deploy_before_the_first_is_up_still_goes_back_to_what_was_live():
    first, second, third = (make_spec(code=code) for code in ("c1", "c2", "c3"))
    target = deployed(second, before=[first])

    target = target.deploy(make_request(third), now=2.0).fail("default", "why")

    assert target.applications["default"].spec.deployments == (first,)


def test_a_deploy_after_a_failed_first_one_has_nothing_to_go_back_to():
    target = deployed(make_spec(code="bad")).fail("default", "why")

    target = target.deploy(make_request(make_spec(code="bad2")), now=2.0)
    target = target.fail("default", "again")

    assert target.applications["default"].deployments == ()


def test_blobs_of_the_last_live_version_are_still_needed():
    target = deployed(make_spec(code="c2"), before=[make_spec(code="c1")])

    assert {"blob-c1", "blob-c2"} <= target.blob_ids()


def test_the_code_of_an_applications_own_policy_is_needed():
    request = make_request(make_spec())
    policy = AutoscalingPolicy(policy_function="together", code="blob-policy")
    app = replace(request.application, autoscaling_policy=policy)

    target = Target().deploy(replace(request, application=app), now=0.0)

    assert "blob-policy" in target.blob_ids()


def test_deleting_forgets_the_application():
    assert deployed(make_spec()).delete("default") == Target()


def numbers(target):
    app = target.applications["default"]
    return {each.name: each.options.num_replicas for each in app.spec.deployments}


def test_scaling_changes_one_number_and_nothing_else():
    target = deployed(make_spec("A"), make_spec("B")).settle("default")

    scaled = target.scale("default", "B", 3)

    assert (numbers(target), numbers(scaled)) == ({"A": 1, "B": 1}, {"A": 1, "B": 3})
    versions = [
        [each.version for each in of.applications["default"].spec.deployments]
        for of in (target, scaled)
    ]
    assert versions[0] == versions[1]
    assert scaled.applications["default"].is_live


def test_a_deploy_declares_the_number_again():
    target = deployed(make_spec()).settle("default").scale("default", "Model", 3)

    assert numbers(target.deploy(make_request(make_spec()), now=2.0)) == {"Model": 1}


def test_a_number_set_during_a_deploy_that_fails_holds_for_what_was_live():
    target = deployed(make_spec(code="c2"), before=[make_spec(code="c1")])

    target = target.scale("default", "Model", 3).fail("default", "why")

    assert numbers(target) == {"Model": 3}


SCALED = AutoscalingConfig(min_replicas=2, initial_replicas=6, max_replicas=10)


def at_capacity(percent, target=None):
    """Deployed with a share of its numbers; a fixed one and one that is autoscaled."""
    request = make_request(
        make_spec("Fixed", num_replicas=5),
        make_spec("Scaled", autoscaling_config=SCALED),
    )
    app = replace(request.application, target_capacity=percent)
    return (target or Target()).deploy(replace(request, application=app), now=0.0)


def counts(target):
    app = target.applications["default"]
    return {each.name: app.count(each) for each in app.spec.deployments}


def test_a_new_cluster_takes_over_step_by_step():
    target = at_capacity(50)
    assert counts(target) == {"Fixed": 3, "Scaled": 3}  # of initial_replicas

    target = at_capacity(100, target)
    assert counts(target) == {"Fixed": 5, "Scaled": 6}

    # Not on its way any more, it keeps what there is and may shrink to its minimum.
    target = at_capacity(None, target)
    assert counts(target) == {"Fixed": 5, "Scaled": 6}
    assert counts(target.rescale("default", "Scaled", 1))["Scaled"] == 2


def test_an_old_cluster_hands_over_step_by_step():
    target = at_capacity(None).rescale("default", "Scaled", 10)

    target = at_capacity(50, target)
    assert counts(target) == {"Fixed": 3, "Scaled": 5}
    assert counts(target.rescale("default", "Scaled", 1))["Scaled"] == 1

    target = at_capacity(0, target)
    assert counts(target) == {"Fixed": 0, "Scaled": 0}
    assert target.capacity == 0


def test_what_the_capacity_of_a_file_sets_no_hand_sets():
    target = at_capacity(50)

    with pytest.raises(ScaleError, match=r"50 % of its num_replicas"):
        target.scale("default", "Fixed", 2)
    with pytest.raises(ScaleError, match="between 3 and 5"):
        target.scale("default", "Scaled", 6)
    assert counts(target.scale("default", "Scaled", 4))["Scaled"] == 4


@pytest.mark.parametrize(
    ("app", "deployment", "says"),
    [
        ("other", "Model", "no application 'other'; there is default"),
        ("default", "Other", "no deployment 'Other'; it has Model"),
    ],
)
def test_scaling_what_is_unknown_says_what_there_is(app, deployment, says):
    with pytest.raises(UnknownDeploymentError, match=says):
        deployed(make_spec()).scale(app, deployment, 2)


@pytest.mark.parametrize("number", [0, -1, True, 1.5])
def test_some_numbers_cannot_be(number):
    with pytest.raises(ScaleError, match="num_replicas must be"):
        deployed(make_spec()).scale("default", "Model", number)


def test_what_runs_nothing_cannot_be_scaled():
    target = deployed(make_spec()).fail("default", "why")

    with pytest.raises(ScaleError, match="did not come up"):
        target.scale("default", "Model", 2)
