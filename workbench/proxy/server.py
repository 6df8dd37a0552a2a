"""uvicorn, set up to carry our own protocol on a socket that already listens."""

import asyncio
import socket
import ssl
from typing import Any

import uvicorn

from workbench.errors import StartError
from workbench.proxy.door import Door
from workbench.proxy.http import make_protocol
from workbench.spec.http import HTTPOptions

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
            **_tls(door.options),
        )
        self._uvicorn = _Uvicorn(config)
        self._serving: asyncio.Task[None] | None = None

    @property
    def is_serving(self) -> bool:
        """Whether it takes connections."""
        return self._serving is not None and not self._serving.done()

    async def open(self) -> None:
        """Take connections from now on.

        Raises:
            StartError: the certificate, its key or the authorities cannot be used.
        """
        try:
            self._uvicorn.config.load()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            self._sock.close()
            msg = f"HTTPS cannot be spoken with these files: {error}."
            hint = "ssl_certfile and ssl_keyfile are a certificate and its key in PEM."
            raise StartError(msg, hint) from None
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


def _tls(options: HTTPOptions) -> dict[str, Any]:
    """What uvicorn is told of certificates: nothing, for plain HTTP."""
    if options.ssl_certfile is None:
        return {}
    return {
        "ssl_certfile": options.ssl_certfile,
        "ssl_keyfile": options.ssl_keyfile,
        "ssl_keyfile_password": options.ssl_keyfile_password,
        "ssl_ca_certs": options.ssl_ca_certs,
        "ssl_cert_reqs": ssl.CERT_NONE
        if options.ssl_ca_certs is None
        else ssl.CERT_REQUIRED,
    }


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_started.set()


async def _never_called(scope: object, receive: object, send: object) -> None:
    """The app that a `uvicorn.Config` must have; our protocol calls none."""
