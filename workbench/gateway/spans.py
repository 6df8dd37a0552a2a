"""What the controller's process does about spans: says where they are, and loses none.

Called by `control`; spans are made in proxies and replicas.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Protocol

from workbench.spec.control import ControlConfig

__all__ = ["export_spans", "spans_note"]

# As long as one process takes at most, and a little.
_EXPORT_S = 3.0


class _Process(Protocol):
    async def call(self, method: str) -> object: ...


async def export_spans(config: ControlConfig, processes: Iterable[_Process]) -> None:
    """Let spans leave that have ended, since the processes are about to."""
    if config.tracing is None:
        return
    exports = [each.call("export_spans") for each in processes]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_EXPORT_S):
            await asyncio.gather(*exports, return_exceptions=True)


def spans_note(config: ControlConfig) -> tuple[str, ...]:
    """Says where files with spans are, if there are any."""
    tracing = config.tracing
    if tracing is None or tracing.exporter:
        return ()
    return (f"Spans are written to {tracing.directory}, until the instance ends.",)
