"""What the process of a policy makes of its questions, without a process."""

import base64
import io
from pathlib import Path

import msgspec
import pytest

from workbench.code.policies import ship_policy
from workbench.controller.policy_main import PolicyAnswer, PolicyCode, answer_all
from workbench.spec.autoscaling import AutoscalingConfig, AutoscalingPolicy
from workbench.spec.autoscaling_context import AutoscalingContext, DeploymentID


def shown(name, **figures):
    return AutoscalingContext(
        deployment_id=DeploymentID(name, "app"),
        deployment_name=name,
        app_name="app",
        config=AutoscalingConfig(max_replicas=9),
        current_num_replicas=1,
        target_num_replicas=1,
        **figures,
    )


def answers(policy, *questions, is_for_all=True, **arguments):
    """What it says to one question after the other."""
    given = AutoscalingPolicy(policy_function=policy, policy_kwargs=arguments)
    _, code = ship_policy(given, Path.cwd())
    told = PolicyCode(
        code=base64.b64encode(code).decode(), kwargs=arguments, is_for_all=is_for_all
    )
    lines = [told, *questions]
    asked = io.BytesIO(b"\n".join(map(msgspec.json.encode, lines)) + b"\n")
    said = io.BytesIO()
    answer_all(asked, said)
    return [
        msgspec.json.decode(line, type=PolicyAnswer)
        for line in said.getvalue().splitlines()
    ]


class InProportion:
    """As many of each as there are calls of both, and what it was told last."""

    def __init__(self, share):
        self.share = share

    def __call__(self, contexts):
        calls = sum(each.total_num_requests for each in contexts.values())
        numbers = {
            key: calls * self.share + each.policy_state.get("seen", 0)
            for key, each in contexts.items()
        }
        return numbers, {key: {"seen": 1} for key in contexts if key.name == "front"}


def test_one_policy_sees_all_deployments_of_its_application_and_remembers_each():
    question = [
        shown("front", total_num_requests=6.0),
        shown("back", total_num_requests=2.0),
    ]

    first, second = answers(InProportion, question, question, share=0.5)

    assert first == PolicyAnswer(numbers={"app#front": 4.0, "app#back": 4.0})
    assert second == PolicyAnswer(numbers={"app#front": 5.0, "app#back": 4.0})


def only_the_front(contexts):
    return {key: 2 for key in contexts if key.name == "front"}, None


def test_it_may_leave_deployments_out():
    (answer,) = answers(only_the_front, [shown("front"), shown("back")])

    assert answer.numbers == {"app#front": 2.0}


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("3", "returns .* by the keys that it was shown, DeploymentID"),
        ("{'front': 2}, None", "by the keys that it was shown"),
        ("{key: -1 for key in contexts}, None", "app#front should get -1"),
        ("{key: True for key in contexts}, {}", "app#front should get True"),
        ("{}, {'front': {}}", "by the keys that it was shown"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_an_answer_that_is_none_says_what_one_is(said, text):
    policy = eval(f"lambda contexts: ({said})")

    (answer,) = answers(policy, [shown("front")])

    assert not answer.numbers
    with pytest.raises(AssertionError, match=text):
        raise AssertionError(answer.error)


def by_name(ctx):
    return (2 if str(ctx.deployment_id) == "app#front" else 1), {}


def test_a_deployments_policy_is_shown_its_deployment_alone():
    (answer,) = answers(by_name, [shown("front")], is_for_all=False)

    assert answer.numbers == {"app#front": 2.0}
