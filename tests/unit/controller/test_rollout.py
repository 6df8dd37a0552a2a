"""The least step between two versions."""

import pytest

from tests.unit.controller.world import make_request, make_spec
from workbench.controller.rollout import choose_step, describe_deploy
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
