"""The process that runs one user's autoscaling policy: `python -m` this module.

Started by `policy_process`, which sends a line of JSON per question and gets one back.
What the policy prints goes to the controller's log.
"""

import base64
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from workbench.cluster.fence import die_with_parent
from workbench.code.exceptions import traceback_text
from workbench.code.load import load_code
from workbench.spec.autoscaling import AutoscalingContext

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PolicyAnswer", "PolicyCode", "answer_all"]


class PolicyCode(msgspec.Struct, frozen=True):
    """The first line: what to run."""

    code: str
    """The blob, in base64."""
    kwargs: dict[str, object]


class PolicyAnswer(msgspec.Struct, frozen=True):
    """What the policy said, or how it failed."""

    number: float = 0.0
    error: str = ""
    """The traceback; or a sentence on what is wrong with the answer."""


class _Policy:
    """The user's function or object, and what it remembers."""

    def __init__(self, told: PolicyCode) -> None:
        loaded: Any = load_code(base64.b64decode(told.code))
        (target,) = loaded
        self._kwargs = told.kwargs
        self._call: Callable[..., object] = target
        if isinstance(target, type):
            self._call, self._kwargs = target(**told.kwargs), {}
        self._state: dict[str, object] = {}

    def ask(self, context: AutoscalingContext) -> float:
        said = self._call(replace(context, policy_state=self._state), **self._kwargs)
        number = said
        if isinstance(said, tuple) and len(said) == 2:
            number, state = said
            self._state = state if isinstance(state, dict) else {}
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or not 0 <= number < float("inf"):  # type: ignore[operator]
            msg = f"A policy returns (number of replicas, state); got {said!r}."
            raise ValueError(msg)
        return float(number)  # type: ignore[arg-type]


def answer_all(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer every question until there are no more."""
    told = msgspec.json.decode(questions.readline(), type=PolicyCode)
    policy: _Policy | None = None
    for line in questions:
        try:
            # Made with the first question: then what is wrong with it has an answer.
            policy = policy or _Policy(told)
            context = msgspec.json.decode(line, type=AutoscalingContext)
            answer = PolicyAnswer(number=policy.ask(context))
        except BaseException as error:  # noqa: BLE001 - it is the answer
            answer = PolicyAnswer(error=traceback_text(error))
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()


def _main() -> None:
    die_with_parent()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    answer_all(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
