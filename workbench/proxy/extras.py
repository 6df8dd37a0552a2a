"""Request headers that say how a call is to be treated. Pure."""

from collections.abc import Iterable

from workbench.request import Extras

__all__ = ["EXTRA_HEADERS", "read_extras"]

_MODEL = b"serve_multiplexed_model_id"
_FIELDS = {
    _MODEL: "model_id",
    _MODEL.replace(b"_", b"-"): "model_id",
    b"x-session-id": "session_id",
    b"x-request-priority": "priority",
    b"traceparent": "traceparent",
    b"tracestate": "tracestate",
}
EXTRA_HEADERS = frozenset(_FIELDS)
"""Headers that `read_extras` looks for."""

# Beyond this nobody could tell who is served first; it also bounds the number of queues.
_MOST_PRIORITY = 9


def read_extras(
    headers: Iterable[tuple[bytes, bytes]], timeout_s: float | None
) -> Extras | None:
    """What a call carries beyond the usual; None, as for most requests, if nothing.

    A priority that is no whole number counts as 0, one that is too high or low as the
    nearest that can be.
    """
    found = [header for header in headers if header[0] in _FIELDS]
    if not found:
        return None if timeout_s is None else Extras(timeout_s=timeout_s)
    values = {_FIELDS[name]: value.decode("latin-1") for name, value in found}
    return Extras(
        values.get("model_id", ""),
        values.get("session_id", ""),
        _priority(values.get("priority", "")),
        timeout_s,
        values.get("traceparent", ""),
        values.get("tracestate", ""),
    )


def _priority(text: str) -> int:
    try:
        wish = int(text)
    except ValueError:
        return 0
    return max(-_MOST_PRIORITY, min(_MOST_PRIORITY, wish))
