"""The process that runs one user's autoscaling policy: `python -m` this module.

Started by `policy_process`, which sends a line of JSON per question and gets one back.
What the policy prints goes to the controller's log.
"""

import base64
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO, Protocol, TypeGuard

import msgspec

from workbench.cluster.fence import die_with_parent
from workbench.code.exceptions import traceback_text
from workbench.code.load import load_code
from workbench.spec.autoscaling_context import AutoscalingContext, DeploymentID

__all__ = ["PolicyAnswer", "PolicyCode", "answer_all"]

Question = tuple[AutoscalingContext, ...]


class PolicyCode(msgspec.Struct, frozen=True):
    """The first line: what to run."""

    code: str
    """The blob, in base64."""
    kwargs: dict[str, object]
    is_for_all: bool = False
    """It proposes for all deployments of an application at once."""


class PolicyAnswer(msgspec.Struct, frozen=True):
    """What the policy said, or how it failed."""

    numbers: dict[str, float] = {}
    """By deployment, as `application#deployment`."""
    error: str = ""
    """The traceback; or a sentence on what is wrong with the answer."""


class _Policy(Protocol):
    """Answers; and remembers what the user's policy said that it should know again."""

    def ask(self, question: Question) -> dict[str, float]: ...


class _OfDeployment:
    """A policy that is asked about one deployment."""

    def __init__(self, call: Callable[[object], object]) -> None:
        self._call = call
        self._state: dict[str, object] = {}

    def ask(self, question: Question) -> dict[str, float]:
        (context,) = question
        said = self._call(replace(context, policy_state=self._state))
        number = said
        if isinstance(said, tuple) and len(said) == 2:
            number, state = said
            self._state = state if isinstance(state, dict) else {}
        if not _is_count(number):
            msg = f"A policy returns (number of replicas, state); got {said!r}."
            raise ValueError(msg)
        return {str(context.deployment_id): float(number)}


class _OfApplication:
    """A policy that is asked about all deployments of an application together."""

    def __init__(self, call: Callable[[object], object]) -> None:
        self._call = call
        self._states: dict[DeploymentID, dict[str, object]] = {}

    def ask(self, question: Question) -> dict[str, float]:
        shown = {
            each.deployment_id: replace(
                each, policy_state=self._states.get(each.deployment_id, {})
            )
            for each in question
        }
        said = self._call(shown)
        numbers, states = (
            said if isinstance(said, tuple) and len(said) == 2 else (said, {})
        )
        states = {} if states is None else states
        if not (_is_keyed(numbers, shown) and _is_keyed(states, shown)):
            keys = ", ".join(map(repr, shown))
            msg = (
                "An application's policy returns ({deployment: number of replicas}, "
                f"{{deployment: state}}) by the keys that it was shown, {keys}; "
                f"got {said!r}."
            )
            raise ValueError(msg)
        proposed = {str(key): _count(key, each) for key, each in numbers.items()}
        self._states = {
            key: state for key, state in states.items() if isinstance(state, dict)
        }
        return proposed


def answer_all(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer every question until there are no more."""
    told = msgspec.json.decode(questions.readline(), type=PolicyCode)
    policy: _Policy | None = None
    for line in questions:
        try:
            # Made with the first question: then what is wrong with it has an answer.
            policy = policy or _load(told)
            question = msgspec.json.decode(line, type=Question)
            answer = PolicyAnswer(numbers=policy.ask(question))
        except BaseException as error:  # noqa: BLE001 - it is the answer
            answer = PolicyAnswer(error=traceback_text(error))
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()


def _load(told: PolicyCode) -> _Policy:
    loaded: Any = load_code(base64.b64decode(told.code))
    (target,) = loaded
    call: Callable[[object], object]
    if isinstance(target, type):
        made: Any = target(**told.kwargs)
        call = made
    else:

        def call(shown: object) -> object:
            return target(shown, **told.kwargs)

    return _OfApplication(call) if told.is_for_all else _OfDeployment(call)


def _is_count(given: object) -> TypeGuard[float]:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return is_number and 0 <= given < float("inf")  # type: ignore[operator]


def _count(key: DeploymentID, given: object) -> float:
    if not _is_count(given):
        msg = f"A number of replicas is 0 or more; {key} should get {given!r}."
        raise ValueError(msg)
    return float(given)


def _is_keyed(
    given: object, shown: dict[DeploymentID, AutoscalingContext]
) -> TypeGuard[dict[DeploymentID, object]]:
    return isinstance(given, dict) and given.keys() <= shown.keys()


def _main() -> None:
    die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    answer_all(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
