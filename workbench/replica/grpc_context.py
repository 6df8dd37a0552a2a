"""What user code may ask and say of the gRPC call that it answers.

A method that has a parameter `grpc_context` is given one. What it sets stays here until
the answer, the stream's end or the failure takes it to the proxy, which speaks gRPC.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from workbench.request import current_request
from workbench.wire.grpc import Outcome, to_metadata
from workbench.wire.messages import GrpcCall

__all__ = ["RayServegRPCContext"]

Metadata = tuple[tuple[str, str | bytes], ...]

_OK = 0
_KEY = re.compile(r"[a-z0-9_.-]+")
_VALUE = re.compile(rb"[\x20-\x7e]*")
_CODES = range(17)
_COMPRESSIONS = range(3)


class _StatusCode(Protocol):
    """`grpc.StatusCode`, which replicas need not have."""

    @property
    def value(self) -> tuple[int, str]: ...


class RayServegRPCContext:
    """The gRPC side of a call; belongs to that call alone."""

    def __init__(self, call: GrpcCall) -> None:
        self._call = call
        self._code: object = None
        self._details: str | None = None
        self._trailing: Metadata = ()
        self._compression: int | None = None

    # -- what the client sent ----------------------------------------------------------

    def invocation_metadata(self) -> Metadata:
        """Metadata of the client's; values are text, or bytes where keys end in -bin."""
        return to_metadata(self._call.metadata)

    def peer(self) -> str:
        """Where the client is, for example `ipv4:127.0.0.1:50000`."""
        return self._call.peer

    def peer_identities(self) -> list[bytes] | None:
        """Who the client is by its certificate; None if it showed none."""
        return self._call.identities

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """What is known of the client's authentication; empty without TLS."""
        return self._call.auth

    def request_id(self) -> str:
        """The request's id."""
        return self._call.request_id

    def application(self) -> str:
        """Name of the application."""
        return current_request.get().app_name

    def multiplexed_model_id(self) -> str:
        """The model asked for; empty if none was."""
        return current_request.get().multiplexed_model_id

    def session_id(self) -> str:
        """The session that the call belongs to; empty if to none."""
        return current_request.get().session_id

    def traceparent(self) -> str:
        """W3C Trace Context, as it came."""
        return current_request.get().traceparent

    def tracestate(self) -> str:
        """W3C Trace Context, as it came."""
        return current_request.get().tracestate

    # -- what the client gets ----------------------------------------------------------

    def set_code(self, code: "_StatusCode | int") -> None:
        """End the call with this status, whether it returns or raises.

        Raises:
            ValueError: there is no such status.
        """
        _number(code)
        self._code = code

    def set_details(self, details: str) -> None:
        """Say why, in the status's text."""
        self._details = str(details)

    def set_trailing_metadata(
        self, trailing_metadata: Iterable[tuple[str, str | bytes]]
    ) -> None:
        """Send metadata at the end of the call, beside the request's id.

        Raises:
            ValueError: a key or value that gRPC cannot send.
        """
        pairs = tuple((str(key), value) for key, value in trailing_metadata)
        for key, value in pairs:
            _check_pair(key, value)
        self._trailing = pairs

    def set_compression(self, compression: int) -> None:
        """Compress answers by this `grpc.Compression`.

        Raises:
            ValueError: there is no such compression.
        """
        if int(compression) not in _COMPRESSIONS:
            msg = f"compression is one of grpc.Compression; got {compression!r}."
            raise ValueError(msg)
        self._compression = int(compression)

    def code(self) -> object:
        """The status that was set; None if none was."""
        return self._code

    def details(self) -> str | None:
        """The text that was set; None if none was."""
        return self._details

    def trailing_metadata(self) -> Metadata:
        """The metadata that was set."""
        return self._trailing

    def outcome(self, error: BaseException | None = None) -> Outcome | None:
        """What the proxy is told; None if nothing was set."""
        code = None if self._code is None else _number(self._code)
        details = self._details
        if error is not None and code not in {None, _OK} and details is None:
            # Whoever chose a status for an error chose to tell of it.
            details = str(error)
        trailing = [(key, _to_bytes(value)) for key, value in self._trailing]
        made = Outcome(code, details, trailing, self._compression)
        return None if made == _NOTHING else made


_NOTHING = Outcome()


def _number(code: object) -> int:
    value = getattr(code, "value", code)
    number = value[0] if isinstance(value, tuple) else value
    if isinstance(number, int) and number in _CODES:
        return int(number)
    msg = f"code is a grpc.StatusCode; got {code!r}."
    raise ValueError(msg)


def _check_pair(key: str, value: object) -> None:
    if key.endswith("-bin"):
        fits = isinstance(value, bytes)
    else:
        text = value.encode() if isinstance(value, str) else value
        fits = isinstance(text, bytes) and bool(_VALUE.fullmatch(text))
    if not fits or not _KEY.fullmatch(key) or key.startswith("grpc-"):
        msg = (
            f"{key!r}: {value!r} cannot be metadata. Keys are of a-z, 0-9, '_', '-' and "
            "'.', values of printable ASCII; any bytes go where the key ends in -bin."
        )
        raise ValueError(msg)


def _to_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
