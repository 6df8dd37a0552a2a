"""The least step between two versions."""

from dataclasses import replace

import pytest

from tests.unit.controller.world import make_request, make_spec
from workbench.controller.rollout import choose_step, describe_deploy
from workbench.spec.deployment import Parts
from workbench.spec.status import Step

OLD = make_spec().version


@pytest.mark.parametrize(
    ("change", "may_keep", "step"),
    [
        ({}, True, Step.NOTHING),
        ({"config": "o2"}, True, Step.RECONFIGURE),
        ({"code": "c2"}, True, Step.KEEP),
        ({"code": "c2", "config": "o2"}, True, Step.KEEP),
        ({"code": "c2"}, False, Step.SWAP),
        ({"code": "c2", "init": "i2"}, True, Step.SWAP),
        ({"init": "i2"}, True, Step.SWAP),
        ({"placement": "p2"}, True, Step.ROLL),
        ({"code": "c2", "init": "i2", "placement": "p2"}, True, Step.ROLL),
    ],
)
def test_the_least_step_that_suffices_is_chosen(change, may_keep, step):
    chosen, reason = choose_step(OLD, make_spec(**change).version, may_keep=may_keep)

    assert chosen is step
    assert reason


def test_a_change_of_number_alone_is_said():
    before = make_request(make_spec(num_replicas=1)).application

    described = describe_deploy(before, make_request(make_spec(num_replicas=2)))

    assert [(each.deployment, each.step, each.reason) for each in described] == [
        ("Model", Step.RECONFIGURE, "num_replicas 1 → 2")
    ]


def test_a_change_of_number_beside_another_is_said_too():
    before = make_request(make_spec(num_replicas=3)).application

    (taken,) = describe_deploy(before, make_request(make_spec(code="c2")))

    assert (taken.step, taken.reason) == (Step.SWAP, "code changed; num_replicas 3 → 1")


def test_each_deployment_of_an_application_is_described_apart():
    before = make_request(make_spec("A"), make_spec("B")).application
    after = make_request(make_spec("A"), make_spec("B", code="c2"), make_spec("C"))

    steps = {each.deployment: each.step for each in describe_deploy(before, after)}

    assert steps == {"A": Step.NOTHING, "B": Step.SWAP, "C": Step.START}


def described(old, new, *, may_keep=True):
    before = make_request(old).application
    (taken,) = describe_deploy(before, make_request(new, may_keep=may_keep))
    return taken.step, taken.reason


def with_parts(spec, code, init=None):
    return replace(
        spec, parts=Parts(code=code, init=init or {"method A.__init__": "i"})
    )


def test_what_was_replaced_is_named():
    old = with_parts(make_spec(), {"method A.__init__": "i", "method A.predict": "1"})
    new = with_parts(
        make_spec(code="c2", max_ongoing_requests=10, config="o2"),
        {"method A.__init__": "i", "method A.predict": "2"},
    )

    assert described(old, new) == (
        Step.KEEP,
        (
            "`__init__` unchanged: the instance is kept; "
            "method `predict` replaced; max_ongoing_requests 5 → 10"
        ),
    )
    assert described(old, new, may_keep=False) == (
        Step.SWAP,
        "method `predict` replaced; max_ongoing_requests 5 → 10",
    )


def test_why_an_instance_cannot_be_kept_is_said_first():
    old = with_parts(make_spec(), {"method A.f": "1"}, {"argument weight": "=1"})
    new = with_parts(
        make_spec(code="c2", init="i2"),
        {"method A.f": "2"},
        {"argument weight": "=2"},
    )

    assert described(old, new) == (
        Step.SWAP,
        (
            "what makes the instance changed: argument `weight` 1 → 2; "
            "also method `f` replaced"
        ),
    )


def test_unnamed_changes_are_told_in_general():
    assert described(make_spec(), make_spec(code="c2", init="i2")) == (
        Step.SWAP,
        "`__init__` or its arguments changed",
    )
    assert described(make_spec(), make_spec()) == (
        Step.NOTHING,
        "code, arguments and options are the same",
    )
