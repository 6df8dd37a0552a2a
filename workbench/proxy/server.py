"""uvicorn, set up to carry our own protocol on a socket that already listens."""

import asyncio
import socket

import uvicorn

from workbench.proxy.door import Door
from workbench.proxy.http import make_protocol

__all__ = ["HttpServer"]


class HttpServer:
    """Serves one socket from `open` to `close`; lives on the loop that opened it."""

    def __init__(self, door: Door, sock: socket.socket, *, grace_s: int = 10) -> None:
        self._door = door
        self._sock = sock
        config = uvicorn.Config(
            _never_called,
            http=make_protocol(door),
            ws="none",
            lifespan="off",
            workers=1,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=grace_s,
        )
        self._uvicorn = _Uvicorn(config)
        self._serving: asyncio.Task[None] | None = None

    @property
    def is_serving(self) -> bool:
        """Whether it takes connections."""
        return self._serving is not None and not self._serving.done()

    async def open(self) -> None:
        """Take connections from now on."""
        serving = self._uvicorn.serve(sockets=[self._sock])
        self._serving = asyncio.create_task(serving, name="uvicorn")
        await self._uvicorn.has_started.wait()

    async def close(self) -> None:
        """Take no more connections and finish what is being answered.

        What takes longer than `grace_s` is cut.
        """
        self._door.is_draining = True
        self._uvicorn.should_exit = True
        if self._serving is not None:
            await self._serving
        self._door.cut_all()


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_started.set()


async def _never_called(scope: object, receive: object, send: object) -> None:
    """The app that a `uvicorn.Config` must have; our protocol calls none."""
