"""A user's autoscaling policy, asked from afar: it runs in a process of its own.

Used by `autoscaler`. The controller's loop never waits for user code here: one that
hangs is ended when its time is over, and begins anew with the next question.
"""

import asyncio
import base64
import contextlib
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

import msgspec

from workbench.controller.policy_main import PolicyAnswer, PolicyCode
from workbench.errors import PolicyError
from workbench.spec.autoscaling import AutoscalingPolicy
from workbench.spec.autoscaling_context import AutoscalingContext

__all__ = ["PolicyProcess"]

_MAIN = "workbench.controller.policy_main"
# Beside its own time, what it takes to start a process and load the policy.
_START_S = 20.0


class PolicyProcess:
    """Starts with the first question; one question at a time."""

    def __init__(
        self,
        policy: AutoscalingPolicy,
        code: bytes,
        *,
        is_for_all: bool = False,
        limit_s: float = 5.0,
    ) -> None:
        self._told = PolicyCode(
            code=base64.b64encode(code).decode(),
            kwargs=policy.policy_kwargs,
            is_for_all=is_for_all,
        )
        self._limit_s = limit_s
        self._process: subprocess.Popen[bytes] | None = None
        # A thread that starts the process must not do so once it was to end.
        self._lock = threading.Lock()
        self._life = 0

    async def ask(self, contexts: Sequence[AutoscalingContext]) -> Mapping[str, float]:
        """The numbers of replicas that the policy proposes, by `application#deployment`.

        One that is for a whole application may leave some of them out.

        Raises:
            PolicyError: it raised, ended, said nothing in time, or no number.
        """
        question = msgspec.json.encode(contexts) + b"\n"
        limit_s = self._limit_s + (0.0 if self._process else _START_S)
        asking = asyncio.ensure_future(
            asyncio.to_thread(self._ask, question, self._life)
        )
        try:
            async with asyncio.timeout(limit_s):
                line = await asyncio.shield(asking)
        except TimeoutError:
            self.end()
            msg = f"It took longer than {limit_s:g} s, and was ended."
            raise PolicyError(msg) from None
        finally:
            asking.add_done_callback(_look_away)
        if not line:
            self.end()
            msg = "Its process ended before it answered."
            raise PolicyError(msg)
        answer = msgspec.json.decode(line, type=PolicyAnswer)
        if answer.error:
            raise PolicyError(answer.error)
        return answer.numbers

    def end(self) -> None:
        """End the process, whatever it does; nothing happens if there is none."""
        with self._lock:
            self._life += 1
            process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(BrokenPipeError), process:
                process.kill()

    def _ask(self, question: bytes, life: int) -> bytes:
        """In a thread: both ways may take long."""
        try:
            process = self._process or self._start(life)
            if process is None:
                return b""
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(question)
            process.stdin.flush()
            return process.stdout.readline()
        except (BrokenPipeError, ValueError):
            return b""  # it ended, or was ended

    def _start(self, life: int) -> subprocess.Popen[bytes] | None:
        """The process of that life; None if it was ended meanwhile."""
        command = [sys.executable, "-m", _MAIN]
        pipe = subprocess.PIPE
        with self._lock:
            if life != self._life:
                return None
            started = subprocess.Popen(command, stdin=pipe, stdout=pipe)  # noqa: S603 - ours
            self._process = started
        assert started.stdin is not None
        started.stdin.write(msgspec.json.encode(self._told) + b"\n")
        return started


def _look_away(asking: asyncio.Future[bytes]) -> None:
    """What a question came to that nobody waits for any more."""
    if not asking.cancelled():
        asking.exception()
