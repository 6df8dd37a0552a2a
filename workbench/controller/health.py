"""Asking a replica, again and again, whether it is well."""

import asyncio
from collections.abc import Callable

from workbench.controller.pool import Process
from workbench.spec.deployment import DeploymentOptions

__all__ = ["watch_health"]

# Bad answers in a row after which a replica is given up (Ray Serve's number).
_MISSES = 3


async def watch_health(
    process: Process, options: DeploymentOptions, on_sick: Callable[[str], None]
) -> None:
    """Return once the replica was found sick, which `on_sick` is told, or is gone."""
    misses = 0
    while misses < _MISSES:
        await asyncio.sleep(options.health_check_period_s)
        try:
            async with asyncio.timeout(options.health_check_timeout_s):
                reason = str(await process.call("check_health"))
        except TimeoutError:
            reason = f"no answer within {options.health_check_timeout_s:g} s"
        except ProcessLookupError:
            return
        misses = misses + 1 if reason else 0
    on_sick(f"unhealthy: {reason}")
