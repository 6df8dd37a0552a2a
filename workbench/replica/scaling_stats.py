"""What user code says of itself for autoscaling: its `record_autoscaling_stats`.

Asked once a beat, beside the calls; `meter` passes on what was said last. A hook that
raises or takes too long has said nothing; one that says what cannot be used is asked no
more until there is other code.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

from workbench.observe.beat import BEAT_S
from workbench.replica.build import run_hook
from workbench.replica.threads import Threads

__all__ = ["ScalingStats"]

logger = logging.getLogger(__name__)

Hook = Callable[[], Any]

_LIMIT_S = 10.0
_NAME = "record_autoscaling_stats"


class ScalingStats:
    """Asks one replica's hook, as long as there is one; on the I/O loop."""

    def __init__(self, find: Callable[[], Hook | None], threads: Threads) -> None:
        self.latest: dict[str, float] = {}
        self._find = find
        self._threads = threads
        self._unusable: Hook | None = None

    async def keep_asking(self, beat_s: float = BEAT_S) -> None:
        """Ask every beat until cancelled."""
        while True:
            await asyncio.sleep(beat_s)
            await self.ask()

    async def ask(self) -> None:
        """Ask once; never raises what user code does."""
        hook = self._find()
        if hook is None or hook == self._unusable:
            self.latest = {}
            return
        try:
            async with asyncio.timeout(_LIMIT_S):
                said = await run_hook(hook, self._threads)
        except TimeoutError:
            logger.warning("%s took longer than %g s.", _NAME, _LIMIT_S)
            self.latest = {}
        except Exception:
            logger.exception("%s raised.", _NAME)
            self.latest = {}
        else:
            self._take(hook, said)

    def _take(self, hook: Hook, said: object) -> None:
        if _is_usable(said):
            self.latest = {name: float(value) for name, value in said.items()}  # type: ignore[attr-defined]
            return
        self._unusable, self.latest = hook, {}
        logger.error(
            "%s must return a dict of names and numbers; got %r. It is asked no more.",
            *(_NAME, said),
        )


def _is_usable(said: object) -> bool:
    return isinstance(said, dict) and all(
        isinstance(name, str)
        and isinstance(value, int | float)
        and math.isfinite(value)
        for name, value in said.items()
    )
