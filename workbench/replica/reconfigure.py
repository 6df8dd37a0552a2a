"""The user's `reconfigure`: when it is called, and with what.

Asked by `replica` (and `local`) whenever what it is about may have changed.
"""

import inspect

from workbench.replica.build import run_hook
from workbench.replica.threads import Threads
from workbench.spec.replica import Seat

__all__ = ["reconfigure", "takes_rank"]


async def reconfigure(
    servable: object, seat: Seat, threads: Threads, before: Seat | None = None
) -> None:
    """Hand over a user_config, and a rank to those that take one, if they are new.

    `before` is what the object knows already; None: nothing.

    Raises:
        TypeError: there is a user_config, but nothing that takes it.
        BaseException: whatever the user's `reconfigure` raises.
    """
    config, rank = seat.options.user_config, seat.standing.rank
    is_other_config = before is None or config != before.options.user_config
    hook = getattr(servable, "reconfigure", None)
    if hook is None:
        if config is not None and is_other_config:
            msg = (
                f"{seat.deployment!r} has a user_config, but its class has no method "
                "reconfigure(self, user_config) to take it."
            )
            raise TypeError(msg)
        return
    if not takes_rank(servable):
        if config is not None and is_other_config:
            await run_hook(hook, threads, config)
    elif before is None or is_other_config or rank != before.standing.rank:
        await run_hook(hook, threads, config, rank=rank)


def takes_rank(servable: object) -> bool:
    """Whether the object wants to hear its rank: `reconfigure(self, config, rank)`."""
    hook = getattr(servable, "reconfigure", None)
    return callable(hook) and "rank" in inspect.signature(hook).parameters
