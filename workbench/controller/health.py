"""Whether a replica is well: it is asked again and again, and says when it is stuck."""

import asyncio

from workbench.controller.pool import Process
from workbench.spec.deployment import DeploymentOptions
from workbench.spec.replica import Trouble

__all__ = ["wait_until_stuck", "wait_until_unwell"]

# Bad answers in a row after which a replica is given up (Ray Serve's number).
_MISSES = 3


async def wait_until_unwell(
    process: Process, options: DeploymentOptions
) -> Trouble | None:
    """What a replica answers again and again; None once its process is gone."""
    misses = 0
    reason = ""
    while misses < _MISSES:
        await asyncio.sleep(options.health_check_period_s)
        try:
            async with asyncio.timeout(options.health_check_timeout_s):
                reason = str(await process.call("check_health"))
        except TimeoutError:
            reason = f"no answer within {options.health_check_timeout_s:g} s"
        except ProcessLookupError:
            return None
        misses = misses + 1 if reason else 0
    return Trouble(reason=f"unhealthy: {reason}", can_drain=True)


async def wait_until_stuck(process: Process) -> Trouble | None:
    """What a replica's own watchdog finds; None once its process is gone.

    One pending call that costs nothing: to be made once for each process.
    """
    try:
        found = await process.call("wait_until_stuck")
    except ProcessLookupError:
        return None
    assert isinstance(found, Trouble)
    return found
