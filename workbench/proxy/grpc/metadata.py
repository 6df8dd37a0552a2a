"""What a client's metadata says of how its call is to be treated. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.proxy.extras import read_extras
from workbench.proxy.request_id import accept_id
from workbench.request import Extras

__all__ = ["Asked", "read_metadata"]

# Names that Ray Serve has for gRPC, as HTTP knows them; HTTP's own hold, too.
_AS_HTTP = {
    b"multiplexed_model_id": b"serve_multiplexed_model_id",
    b"session_id": b"x-session-id",
}
_IDS = ("request_id", "x-request-id")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for beside its message."""

    application: str
    request_id: str | None
    """None: none was given that can stand in a log line."""
    extras: Extras | None
    pairs: list[tuple[str, bytes]]
    """Everything, as it came."""


def read_metadata(
    given: Iterable[tuple[str, str | bytes]], timeout_s: float | None
) -> Asked:
    """Read a call's metadata; `timeout_s` is the time that it has."""
    pairs = [
        (key, value.encode() if isinstance(value, str) else value)
        for key, value in given
    ]
    values = dict(pairs)
    headers = [
        (_AS_HTTP.get(name := key.encode("latin-1"), name), value)
        for key, value in pairs
    ]
    given_id = next((values[key] for key in _IDS if key in values), None)
    return Asked(
        application=values.get("application", b"").decode("utf-8", "replace"),
        request_id=None if given_id is None else accept_id(given_id),
        extras=read_extras(headers, timeout_s),
        pairs=pairs,
    )
