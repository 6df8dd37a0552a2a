"""What is known of the request that the current code works for."""

from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["RequestContext", "current_request"]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Follows a request through every deployment it causes calls to."""

    request_id: str = ""
    route: str = ""
    app_name: str = ""


_NONE = RequestContext()
current_request: ContextVar[RequestContext] = ContextVar(
    "workbench_request", default=_NONE
)
