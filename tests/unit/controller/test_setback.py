"""What one failed replica means: for the status, and for the deploy that waits."""

import pytest

from tests.unit.controller.world import deployed, make_spec
from workbench.controller.setback import Setback, ends_deploy


def test_an_error_of_ours_is_told_without_its_name():
    setback = Setback("PlacementError: A replica needs 9 GPU.")

    assert setback.reason == "A replica needs 9 GPU."
    assert setback.of_deploy == ("A replica needs 9 GPU.", "PlacementError")
    assert not setback.is_logged


def test_what_a_constructor_raised_stands_in_the_replicas_own_log():
    assert Setback("ConstructorError: Traceback …").is_logged


def test_a_death_is_told_in_full_in_the_status():
    setback = Setback("its process died: it was killed.")

    assert setback.reason == "its process died: it was killed."
    assert setback.of_deploy[0] == "it was killed."


def test_a_message_without_a_name_is_a_deploy_error():
    assert Setback("gone").of_deploy == ("gone", "DeployError")


@pytest.mark.parametrize(
    ("message", "failures", "is_over"),
    [
        ("ConstructorError: oh", 1, False),
        ("ConstructorError: oh", 2, True),
        ("PlacementError: no room", 1, True),
        ("ShippingError: cannot travel", 1, True),
    ],
)
def test_a_deploy_fails_when_it_has_no_tries_left_or_they_are_hopeless(
    message, failures, is_over
):
    spec = make_spec(max_constructor_retry_count=2)
    app = deployed(spec).applications["default"]

    assert is_over == ends_deploy(
        Setback(message), spec.version, app=app, wanted=spec, failures=failures
    )


def test_what_is_live_or_an_earlier_version_fails_no_deploy():
    old, new = make_spec(code="c1"), make_spec(code="c2")
    going, live = deployed(new, before=[old]), deployed(new).settle("default")
    setback = Setback("ConstructorError: oh")

    for target, version in ((going, old.version), (live, new.version)):
        app = target.applications["default"]
        assert not ends_deploy(setback, version, app=app, wanted=new, failures=9)
    assert not ends_deploy(setback, new.version, app=None, wanted=None, failures=9)
