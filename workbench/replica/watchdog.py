"""Notices user code that will never be done, and says where it hangs.

`process` begins it when the process becomes a replica. It is a thread of its own, since
what it watches may hold up every other. Stuck is

- an I/O loop that does not turn: async user code blocks it, and with it every call;
- a call that runs on though its caller has left or its time is over: it holds a slot
  for nobody, and cannot be stopped.

A call that somebody waits for may take as long as it likes. How much longer than that
is too long follows from how long calls take here: see `patience_s`.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from workbench.code.exceptions import stack_text
from workbench.replica.leftover import Leftover, frames_of_thread
from workbench.spec.replica import Trouble

__all__ = ["Vigil", "Watchdog", "patience_s"]

logger = logging.getLogger("workbench.replica")

# A look costs the loop one callback.
_LOOK_S = 0.5
# A loop that was held up as long as this is worth a line in the log, once a minute.
_HELD_S = 1.0
_REMINDER_S = 60.0

_MISSES = 3
_TIMES_THE_LONGEST = 10

Thing = TypeVar("Thing", bound=Hashable)


def patience_s(timeout_s: float, longest_s: float) -> float:
    """How long a loop may be held up, or a call run on, before it counts as stuck.

    Three health checks' time, but never less than ten times the longest call that has
    ended; where none has yet, it may be the first that compiles or fetches a model: ten
    health checks' time.
    """
    if not longest_s:
        return _TIMES_THE_LONGEST * timeout_s
    return max(_MISSES * timeout_s, _TIMES_THE_LONGEST * longest_s)


class Vigil(Generic[Thing]):
    """Since when each of some things has been there. Pure."""

    def __init__(self) -> None:
        self._since: dict[Thing, float] = {}

    def see(self, things: Collection[Thing], now: float) -> tuple[Thing | None, float]:
        """The one that has been there longest, and for how long."""
        self._since = {each: self._since.get(each, now) for each in things}
        if not self._since:
            return None, 0.0
        oldest = min(self._since, key=self._since.__getitem__)
        return oldest, now - self._since[oldest]


class Watchdog:
    """Watches one replica until it is stuck."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        leftovers: Callable[[], list[Leftover]],
        patience: Callable[[], float | None],
    ) -> None:
        self._loop = loop
        self._find_leftovers = leftovers
        self._patience = patience
        """None while nothing is served."""
        self.trouble: Future[Trouble] = Future()
        """What it is stuck in."""
        self._over = threading.Event()
        self._vigil: Vigil[Leftover] = Vigil()
        self._loop_thread = 0
        # Set on the loop, read in the thread; a look that sees the old one looks again.
        self._has_turned = True
        self._leftovers: list[Leftover] = []
        self._asked_at = self._looked_at = time.monotonic()
        self._held_by = ""
        self._reminded_at = -_REMINDER_S

    def begin(self) -> None:
        """Watch from now on; called on the loop, and again without effect."""
        if self._loop_thread:
            return
        self._loop_thread = threading.get_ident()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def end(self) -> None:
        """Watch no more."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_S):
            trouble = self._look(time.monotonic())
            if trouble is not None:
                self.trouble.set_result(trouble)
                return

    def _look(self, now: float) -> Trouble | None:
        # A process that was stopped as a whole (SIGSTOP, a laptop asleep) held up nobody.
        was_stopped = now - self._looked_at > 3 * _LOOK_S
        self._looked_at = now
        patience = self._patience()
        if self._has_turned or was_stopped:
            self._report_held(now)
            leftovers, self._leftovers = self._leftovers, []
            self._ask(now)
            return self._judge_leftovers(leftovers, now, patience)
        held_s = now - self._asked_at
        is_stuck = patience is not None and held_s >= patience
        if is_stuck or held_s > _HELD_S:
            self._held_by = stack_text(frames_of_thread(self._loop_thread))
        if not is_stuck:
            return None
        reason = (
            f"its event loop has been held up for {held_s:.1f} s; blocking work belongs "
            f"into a `def` method, which gets a thread. It is at\n{self._held_by}"
        )
        return Trouble(reason=reason, can_drain=False)

    def _ask(self, now: float) -> None:
        self._has_turned = False
        self._asked_at = now
        try:
            self._loop.call_soon_threadsafe(self._turn)
        except RuntimeError:
            self._over.set()  # the loop has ended, and with it all that was to watch

    def _turn(self) -> None:
        self._leftovers = self._find_leftovers()
        self._has_turned = True

    def _judge_leftovers(
        self, leftovers: list[Leftover], now: float, patience: float | None
    ) -> Trouble | None:
        oldest, age_s = self._vigil.see(leftovers, now)
        if oldest is None or patience is None or age_s < patience:
            return None
        name = f"Call {oldest.request_id}" if oldest.request_id else "A call"
        reason = (
            f"stuck: {name} runs on {age_s:.1f} s after its caller left or its time was "
            f"over. It is at\n{oldest.where()}"
        )
        return Trouble(reason=reason, can_drain=True)

    def _report_held(self, now: float) -> None:
        """The loop turns again: say what held it up, if that was long."""
        held_by, self._held_by = self._held_by, ""
        if not held_by or now - self._reminded_at < _REMINDER_S:
            return
        self._reminded_at = now
        logger.warning(
            "The event loop was held up for about %.1f s, and with it every call; "
            "blocking work belongs into a `def` method, which gets a thread. It was at\n%s",
            now - self._asked_at,
            held_by,
        )
