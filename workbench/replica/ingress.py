"""The ASGI application of an ingress class, bound to the class's instance.

Called by `build` and `swap`. FastAPI sees a method as a function with a parameter
`self`; here each route whose endpoint is a method of the class is made again around
the bound method, in its place and with all its options. The application belongs to
this process alone, so it is changed rather than copied.
"""

import inspect
import math
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from types import FunctionType, MethodType
from typing import Any

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from workbench.errors import (
    BackPressureError,
    DeploymentUnavailableError,
    RequestTimeoutError,
)

__all__ = ["build_app", "let_go_of_old_routes"]


def build_app(cls: type, instance: object) -> ASGIApp:
    """The application of `cls`, its methods bound to `instance`.

    Raises:
        TypeError: what `@serve.ingress` was given is no ASGI application.
    """
    app = _application_of(cls, instance)
    fastapi = sys.modules.get("fastapi")
    if fastapi is not None:
        methods = set(_functions_of(cls))
        for holder in _holders_of_routes(app):
            _answer_refusals(holder)
            for kind in (fastapi.routing.APIRoute, fastapi.routing.APIWebSocketRoute):
                _bind_routes(holder, methods, instance, kind)
    return app


def let_go_of_old_routes() -> None:
    """Have FastAPI forget functions and models that it looked at for an old version.

    It remembers up to 4,096 of a kind, and with a bound method all that its instance
    holds. What serves now, it looks at once more.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "fastapi":
            for each in list(vars(module).values()):
                if callable(clear := getattr(each, "cache_clear", None)):
                    clear()


def _application_of(cls: type, instance: Any) -> ASGIApp:
    given: Any = cls.__serve_asgi_app__  # type: ignore[attr-defined]  # set by @ingress
    if given is None:
        made: Any = instance.__serve_build_asgi_app__()
    else:
        made = given() if _is_builder(given) else given
    if not callable(made):
        msg = (
            f"@serve.ingress on {cls.__name__} needs an ASGI application, or a "
            f"function without parameters that makes one; got {made!r}."
        )
        raise TypeError(msg)
    app: ASGIApp = made
    fastapi = sys.modules.get("fastapi")
    if fastapi is not None and isinstance(made, fastapi.APIRouter):
        app = fastapi.FastAPI()
        app.include_router(made)  # type: ignore[attr-defined]  # FastAPI has it
    return app


def _is_builder(app: object) -> bool:
    if not inspect.isroutine(app):
        return False
    required = [
        each
        for each in inspect.signature(app).parameters.values()
        if each.default is each.empty
        and each.kind not in {each.VAR_POSITIONAL, each.VAR_KEYWORD}
    ]
    return not required


def _functions_of(cls: type) -> Iterator[FunctionType]:
    """All methods of the class and its bases, under their decorators too."""
    for base in cls.__mro__:
        for value in vars(base).values():
            function = value
            while isinstance(function, FunctionType):
                yield function
                function = getattr(function, "__wrapped__", None)


def _holders_of_routes(app: object) -> Iterator[Any]:
    """The application, and every router that is included or mounted below it."""
    seen: set[int] = set()
    waiting = [app]
    while waiting:
        holder: Any = waiting.pop()
        if hasattr(holder, "routes") and id(holder) not in seen:
            seen.add(id(holder))
            yield holder
            waiting += [
                getattr(each, "original_router", each) for each in holder.routes
            ]


def _answer_refusals(app: Any) -> None:
    """Answer what a call to another deployment could not do, as a plain callable does.

    Left to the application, each would be an Internal Server Error. A handler of the
    user's own comes first.
    """
    handlers = getattr(app, "exception_handlers", None)
    if isinstance(handlers, dict):
        for kind, answer in _REFUSALS.items():
            handlers.setdefault(kind, answer)


async def _answer_full(_: object, error: BackPressureError) -> Response:
    wait_s = error.retry_after_s
    headers = None if wait_s is None else {"retry-after": str(math.ceil(wait_s))}
    return PlainTextResponse(str(error), error.status_code, headers)


async def _answer_unavailable(_: object, error: Exception) -> Response:
    return PlainTextResponse(str(error), HTTPStatus.SERVICE_UNAVAILABLE)


async def _answer_late(_: object, error: Exception) -> Response:
    return PlainTextResponse(str(error), HTTPStatus.REQUEST_TIMEOUT)


_REFUSALS: dict[type[Exception], Callable[..., Any]] = {
    BackPressureError: _answer_full,
    DeploymentUnavailableError: _answer_unavailable,
    RequestTimeoutError: _answer_late,
}


def _bind_routes(
    holder: Any, methods: set[FunctionType], instance: object, route_class: type
) -> None:
    for route in holder.routes:
        endpoint = getattr(route, "endpoint", None)
        function = getattr(endpoint, "__func__", endpoint)  # bound once already: keep
        if isinstance(route, route_class) and function in methods:
            _bind(route, MethodType(function, instance), route_class)
    # A router works out once what including it means, until its routes change.
    mark_changed = getattr(holder, "_mark_routes_changed", None)
    if mark_changed is not None:
        mark_changed()


def _bind(route: Any, endpoint: Callable[..., Any], route_class: type) -> None:
    """Make the route again, as what it is, with another endpoint."""
    names = set(inspect.signature(route_class).parameters) - {"path", "endpoint"}
    options = {name: getattr(route, name) for name in names if hasattr(route, name)}
    if getattr(route, "stream_item_type", None) is not None:
        # Worked out of the return annotation, as it will be again unless it is given.
        del options["response_model"]
    if not options.get("form_limits"):
        options.pop("form_limits", None)  # unknown to a user's own route class
    route.__init__(route.path, endpoint, **options)
