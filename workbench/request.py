"""What is known of the request that the current code works for."""

from contextvars import ContextVar

import msgspec

__all__ = ["RequestContext", "current_request"]


class RequestContext(msgspec.Struct, frozen=True):
    """Follows a request through every deployment it causes calls to.

    A struct, because one is made per call: 0.2 µs, as a frozen dataclass 1.2.
    """

    request_id: str = ""
    route: str = ""
    app_name: str = ""


_NONE = RequestContext()
current_request: ContextVar[RequestContext] = ContextVar(
    "workbench_request", default=_NONE
)
