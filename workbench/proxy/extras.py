"""Request headers that say how a call is to be treated. Pure."""

from collections.abc import Iterable

from workbench import trace
from workbench.request import Extras

__all__ = ["EXTRA_HEADERS", "TIMING", "read_extras", "read_trace", "wants_timing"]

TIMING = b"x-server-timing"
_MODEL = b"serve_multiplexed_model_id"
_FIELDS = {
    _MODEL: "model_id",
    _MODEL.replace(b"_", b"-"): "model_id",
    b"x-session-id": "session_id",
    b"x-request-priority": "priority",
    TIMING: "timing",
}
_PARENT, _STATE = b"traceparent", b"tracestate"
_TRACE = frozenset({_PARENT, _STATE})
EXTRA_HEADERS = _TRACE | _FIELDS.keys()
"""Headers that `read_extras` looks for."""

# Beyond this nobody could tell who is served first; it also bounds the number of queues.
_MOST_PRIORITY = 9


def read_extras(
    headers: Iterable[tuple[bytes, bytes]],
    timeout_s: float | None,
    *,
    is_timed: bool = False,
) -> Extras | None:
    """What a call carries beyond the usual; None, as for most requests, if nothing.

    `is_timed`: whether all are, also those that do not ask for it.

    A priority that is no whole number counts as 0, one that is too high or low as the
    nearest that can be.
    """
    found = [header for header in headers if header[0] in EXTRA_HEADERS]
    if not found:
        if timeout_s is None and not is_timed:
            return None
        return Extras(timeout_s=timeout_s, is_timed=is_timed)
    told = [(name, value.decode("latin-1")) for name, value in found]
    values = {_FIELDS[name]: value for name, value in told if name in _FIELDS}
    traceparent, tracestate = read_trace(found)
    return Extras(
        values.get("model_id", ""),
        values.get("session_id", ""),
        _priority(values.get("priority", "")),
        timeout_s,
        trace.child_of(traceparent) if traceparent else "",
        tracestate,
        is_timed or wants_timing(values.get("timing", "")),
    )


def wants_timing(text: str) -> bool:
    """Whether the value of `x-server-timing` asks for a `Server-Timing`."""
    return text not in {"", "0", "?0"}


def read_trace(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """The trace that a request belongs to, and its client's step of it; or nothing."""
    told = [header for header in headers if header[0] in _TRACE]
    parents = [value.decode("latin-1") for name, value in told if name == _PARENT]
    if not parents:
        return "", ""
    states = [value.decode("latin-1") for name, value in told if name == _STATE]
    return trace.accept(parents, states)


def _priority(text: str) -> int:
    try:
        wish = int(text)
    except ValueError:
        return 0
    return max(-_MOST_PRIORITY, min(_MOST_PRIORITY, wish))
