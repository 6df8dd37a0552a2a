"""W3C Trace Context: what `traceparent` and `tracestate` say, checked and handed on. Pure.

The proxy reads what clients send (`accept`), every step of a request has an id of its
own (`child_of`). Traces travel as the header's text: most of what is done with one is to
pass it on. https://www.w3.org/TR/trace-context/
"""

import re
import secrets
from collections.abc import Sequence

__all__ = ["accept", "child_of", "is_sampled", "new_trace", "span_id_of", "trace_id_of"]

_VERSION = "00"
_PARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})"
    r"-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_KEY = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_MEMBER = re.compile(
    _KEY + r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MOST_MEMBERS = 32
# Long enough for what must be handed on (512), and for what vendors send.
_STATE_CHARS = 2048
# Where the parts stand in a text that was accepted.
_TRACE = slice(3, 35)
_SPAN = slice(36, 52)
_FLAGS = slice(53, 55)
_SAMPLED = 0x01


def accept(parents: Sequence[str], states: Sequence[str]) -> tuple[str, str]:
    """The traceparent and tracestate to go on with, for what a client sent.

    The trace's id and whether it is sampled stay; of later versions, no more is known.
    What is malformed, or there twice, begins a new trace, and its tracestate is void.
    """
    found = _PARENT.fullmatch(parents[0].strip()) if len(parents) == 1 else None
    if found is None or (found["version"] == _VERSION and found["more"]):
        return new_trace(sampled=False), ""
    flags = int(found["flags"], 16) & _SAMPLED
    return f"{_VERSION}-{found['trace']}-{found['span']}-{flags:02x}", _state(states)


def new_trace(*, sampled: bool) -> str:
    """A trace that begins here."""
    return (
        f"{_VERSION}-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{int(sampled):02x}"
    )


def child_of(traceparent: str) -> str:
    """The same trace, one step further: with an id of its own."""
    return f"{traceparent[:36]}{secrets.token_hex(8)}{traceparent[52:]}"


def trace_id_of(traceparent: str) -> str:
    """Which trace it is, in 32 digits."""
    return traceparent[_TRACE]


def span_id_of(traceparent: str) -> str:
    """Which step of it, in 16 digits."""
    return traceparent[_SPAN]


def is_sampled(traceparent: str) -> bool:
    """Whether somebody records the trace."""
    return bool(int(traceparent[_FLAGS] or "0", 16) & _SAMPLED)


def _state(states: Sequence[str]) -> str:
    """All of it or, if a part is malformed, nothing; what is too long loses its end."""
    members = [each.strip(" \t") for text in states for each in text.split(",")]
    members = [each for each in members if each]
    keys = {each.partition("=")[0] for each in members}
    is_valid = len(keys) == len(members) <= _MOST_MEMBERS
    if not is_valid or not all(map(_MEMBER.fullmatch, members)):
        return ""
    while len(text := ",".join(members)) > _STATE_CHARS:
        members.pop()
    return text
