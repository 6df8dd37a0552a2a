"""What should run, and how a failed deploy goes back."""

import pytest

from tests.unit.controller.world import deployed, make_request, make_spec
from workbench.controller.target import RouteTakenError, Target


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


def test_deleting_forgets_the_application():
    assert deployed(make_spec()).delete("default") == Target()
