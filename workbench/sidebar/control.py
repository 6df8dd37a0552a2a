"""The control API as Jupyter's server asks it: without blocking its event loop.

`workbench.client` speaks to one instance from a process that also holds handles; this
speaks to many, holds none, and imports little.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from workbench.errors import InstanceError, WrongTokenError
from workbench.sidebar.contact import Contact

if TYPE_CHECKING:
    import httpx

__all__ = ["About", "ControlClient", "DeclinedError", "ForeignError"]

_CONNECT_S = 5.0
_ANSWER_S = 10.0
# A sample comes each half second: a stream that is silent for so long is none.
_SILENCE_S = 5.0
# A deletion waits for calls that run; scaling for the controller only.
_DELETE_S = 300.0
_MOST_LINE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The part of an `Introduction` that every version has."""

    id: str
    version: str


class DeclinedError(InstanceError):
    """The instance understood, and says no."""

    def __init__(self, status: int, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.status, self.message, self.hint)


class ForeignError(InstanceError):
    """What answers is no control API, or one of another version."""


class ControlClient:
    """Asks instances; opens with its first question, ends with `close`."""

    def __init__(self) -> None:
        self._http: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def introduce(self, contact: Contact) -> About:
        """Who it is."""
        try:
            content = await self._ask("GET", contact, "/api/instance")
            return msgspec.json.decode(content, type=About)
        except (msgspec.DecodeError, DeclinedError):
            msg = f"What answers at {contact.url} is not Workbench."
            raise ForeignError(msg) from None

    async def scale(
        self, contact: Contact, app: str, deployment: str, num_replicas: int
    ) -> None:
        """Set how many replicas a deployment should have."""
        path = f"{_application(app)}/deployments/{quote(deployment, safe='')}/scale"
        await self._ask("PUT", contact, path, json={"num_replicas": num_replicas})

    async def delete(self, contact: Contact, app: str) -> bool:
        """Delete an application and wait until it is gone; False if there is none."""
        content = await self._ask(
            "DELETE", contact, _application(app), patience_s=_DELETE_S
        )
        return bool(json.loads(content)["deleted"])

    async def shutdown(self, contact: Contact) -> None:
        """Ask it to end."""
        await self._ask("POST", contact, "/api/shutdown")

    async def logs(
        self, contact: Contact, query: Mapping[str, str], wait_s: float
    ) -> bytes:
        """A `LogPage` as it came; it may wait for one so long."""
        return await self._ask(
            "GET",
            contact,
            "/api/logs",
            params=query,
            patience_s=wait_s + _ANSWER_S,
        )

    @asynccontextmanager
    async def events(
        self, contact: Contact
    ) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        """The lines of `GET /api/events`; iterating raises when the stream breaks."""
        http = await self._open()
        try:
            async with http.stream(
                "GET",
                contact.url + "/api/events",
                headers=_headers(contact),
                timeout=_timeout(_SILENCE_S),
            ) as response:
                if response.status_code != HTTPStatus.OK:
                    await response.aread()
                    raise _refusal(contact, response)
                yield _lines(response.aiter_bytes())
        except _transport_errors() as error:
            raise _unreachable(contact, error) from None

    async def close(self) -> None:
        """Let go of all connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _ask(
        self,
        verb: str,
        contact: Contact,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, str] | None = None,
        patience_s: float = _ANSWER_S,
    ) -> bytes:
        http = await self._open()
        try:
            response = await http.request(
                verb,
                contact.url + path,
                headers=_headers(contact),
                json=json,
                params=params,
                timeout=_timeout(patience_s),
            )
        except _transport_errors() as error:
            raise _unreachable(contact, error) from None
        if response.status_code != HTTPStatus.OK:
            raise _refusal(contact, response)
        return response.content

    async def _open(self) -> "httpx.AsyncClient":
        async with self._opening:
            if self._http is None:
                # Importing httpx and reading certificates: 0.2 s, not on this loop
                # and not while the server starts.
                self._http = await asyncio.to_thread(_make_http)
            return self._http


def _make_http() -> "httpx.AsyncClient":
    import httpx  # noqa: PLC0415 - see _open

    return httpx.AsyncClient(
        verify=ssl.create_default_context(),
        trust_env=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
    )


def _timeout(read_s: float) -> "httpx.Timeout":
    import httpx  # noqa: PLC0415 - loaded by now

    return httpx.Timeout(_CONNECT_S, read=read_s)


def _transport_errors() -> tuple[type[Exception], ...]:
    import httpx  # noqa: PLC0415 - loaded by now

    return (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL)


def _headers(contact: Contact) -> dict[str, str]:
    # Not compressed: a proxy on the way would hold lines back to pack them.
    return {
        "authorization": f"Bearer {contact.token}",
        "accept-encoding": "identity",
    }


def _application(app: str) -> str:
    return f"/api/applications/{quote(app, safe='')}"


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Whole lines, of bytes; httpx's own decodes each to text and back."""
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            yield b"".join([*parts, line])
            parts, size = [], 0
        parts.append(rest)
        size += len(rest)
        if size > _MOST_LINE_BYTES:
            msg = f"A line of over {_MOST_LINE_BYTES} bytes: that is not Workbench."
            raise ForeignError(msg)


def _unreachable(contact: Contact, error: Exception) -> InstanceError:
    # Only what the system says of a connection: other texts may quote headers.
    kind = type(error).__name__
    reason = {
        "ConnectError": str(error) or "no connection",
        "ConnectTimeout": "no connection in time",
        "ReadTimeout": "silence",
    }.get(kind, "the connection broke")
    return InstanceError(f"{contact.url} does not answer ({reason}).")


def _refusal(contact: Contact, response: "httpx.Response") -> InstanceError:
    """The error for any answer but 200."""
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return WrongTokenError(f"{contact.url} refuses the token.")
    try:
        said = response.json()
        message, hint = str(said["message"]), said.get("hint")
    except (ValueError, KeyError, TypeError, AttributeError):
        code = response.status_code
        msg = f"What answers at {contact.url} is not Workbench (status {code})."
        return ForeignError(msg)
    return DeclinedError(response.status_code, message, hint)
