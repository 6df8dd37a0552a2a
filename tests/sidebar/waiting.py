"""Waiting for what another thread or process does."""

import asyncio

_PATIENCE_S = 60


async def eventually(claim, *, within_s=_PATIENCE_S):
    """Return once the claim holds."""
    async with asyncio.timeout(within_s):
        while not claim():
            await asyncio.sleep(0.02)
