"""What user code said of a gRPC call beside its messages; how both ends pack it."""

import msgspec

__all__ = ["MESSAGE_BYTES", "Outcome", "dump_outcome", "load_outcome", "to_metadata"]

MESSAGE_BYTES = 64
"""What a message of a client's stream counts for beside its bytes, so that empty ones
are bounded too."""


class Outcome(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """Set through the call's `grpc_context`."""

    code: int | None = None
    """gRPC's number of a status."""
    details: str | None = None
    trailing: list[tuple[str, bytes]] = []
    compression: int | None = None


dump_outcome = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Outcome)


def load_outcome(data: bytes | memoryview) -> Outcome:
    """Read what `dump_outcome` has written."""
    return _decoder.decode(data)


def to_metadata(pairs: list[tuple[str, bytes]]) -> tuple[tuple[str, str | bytes], ...]:
    """As gRPC has it: text, but for keys that end in `-bin`."""
    return tuple(
        (key, value if key.endswith("-bin") else value.decode("utf-8", "replace"))
        for key, value in pairs
    )
