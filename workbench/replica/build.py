"""From what the controller sent to user code that can be called.

Called by `process` on the I/O loop. Whatever may take long or block runs in a thread,
so that sockets are served meanwhile; `async` constructors and hooks run on the loop.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from workbench.code.load import load_args, load_code
from workbench.replica.http_entry import AppEntry, entry_for
from workbench.replica.ingress import build_app
from workbench.replica.lifespan import Lifespan
from workbench.replica.threads import Threads
from workbench.replica.user_code import UserCode
from workbench.spec.deployment import Kind
from workbench.spec.replica import LoadRequest

__all__ = ["build", "enter", "run_hook"]


async def build(
    request: LoadRequest, threads: Threads, on_made: Callable[[object], None]
) -> UserCode:
    """Load the code, construct the instance, and open it to HTTP.

    `on_made` is told of the instance before an ASGI application is built around it.

    Raises:
        BaseException: whatever user code raises in its constructor or its imports.
    """
    kind = request.seat.kind
    make = functools.partial(_make, request)
    target, servable, unfinished = await threads.start(make).wait()
    if unfinished is not None:
        await unfinished()
    on_made(servable)
    return await enter(kind, target, servable, threads)


async def enter(
    kind: Kind, target: Callable[..., Any], servable: object, threads: Threads
) -> UserCode:
    """Open an instance (or function) to HTTP; runs an application's startup."""
    if kind is not Kind.ASGI:
        http = entry_for(servable, threads)
        return UserCode(kind=kind, target=target, servable=servable, http=http)
    assert isinstance(target, type)
    app = await threads.start(lambda: build_app(target, servable)).wait()
    lifespan = Lifespan(app)
    await lifespan.start()
    return UserCode(
        kind=kind,
        target=target,
        servable=servable,
        http=AppEntry(app, lifespan.state),
        lifespan=lifespan,
    )


async def run_hook(
    hook: Callable[..., Any], threads: Threads, *args: object, **named: object
) -> object:
    """Call a method that the user wrote for us, `async` or not."""
    if inspect.iscoroutinefunction(hook):
        return await hook(*args, **named)
    value = await threads.start(functools.partial(hook, *args, **named)).wait()
    return await value if inspect.isawaitable(value) else value


def _make(
    request: LoadRequest,
) -> tuple[Callable[..., Any], object, Callable[[], Any] | None]:
    """Target, instance, and what of an async constructor is left to be awaited."""
    target: Any = load_code(request.code)
    args, kwargs = load_args(request.args)
    if request.seat.kind is Kind.FUNCTION:
        return target, target, None
    if not inspect.iscoroutinefunction(target.__init__):
        return target, _construct(target, args, kwargs), None
    instance = target.__new__(target, *args, **kwargs)
    return target, instance, functools.partial(instance.__init__, *args, **kwargs)


def _construct(
    target: type, args: tuple[object, ...], kwargs: dict[str, object]
) -> object:
    """Call a constructor that is not async, in a thread."""
    try:
        return target(*args, **kwargs)
    except RuntimeError as error:
        if "event loop" in str(error):
            error.add_note(
                f"{target.__name__}.__init__ runs in a thread without an event loop. "
                "Make it `async def __init__`, then it runs on the replica's loop."
            )
        raise
