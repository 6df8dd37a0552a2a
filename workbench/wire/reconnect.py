"""A channel that comes back: opened again whenever it is lost.

Used by `routing` for its replicas and its controller, each in a task of its own.
"""

import asyncio
import logging
import random
from typing import Final

from workbench.errors import ProtocolError
from workbench.spec.table import Address
from workbench.wire.channel import Endpoint, connect

__all__ = ["stay_connected"]

logger = logging.getLogger(__name__)

_FIRST_DELAY_S: Final = 0.02
_LAST_DELAY_S: Final = 1.0


async def stay_connected(
    endpoint: Endpoint, address: Address, *, host_id: str, secret: bytes
) -> None:
    """Keep a channel to `address` open until cancelled; an open one then stays open.

    Waits before each new attempt, twice as long as before up to a second, give or take
    a half, so that the routers of an instance do not all come at the same time.
    """
    delay_s = _FIRST_DELAY_S
    while True:
        try:
            channel = await connect(endpoint, address, host_id=host_id, secret=secret)
        except (OSError, ProtocolError) as error:
            logger.info("No channel to %s yet: %s", address, error)
        else:
            delay_s = _FIRST_DELAY_S
            await channel.wait_closed()
        await asyncio.sleep(delay_s * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        delay_s = min(2 * delay_s, _LAST_DELAY_S)
