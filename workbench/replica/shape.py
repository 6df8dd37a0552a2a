"""How a callable of the user has to be run, worked out from its signature. Pure."""

import functools
import inspect
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

__all__ = ["Shape", "shape_of", "takes_argument"]


class Shape(Enum):
    """The four ways to run a callable."""

    COROUTINE = auto()
    """`async def`: on the I/O loop, many at a time."""
    FUNCTION = auto()
    """`def`: in a thread. What it returns may still be awaitable, or a generator."""
    ASYNC_GENERATOR = auto()
    GENERATOR = auto()

    @property
    def is_stream(self) -> bool:
        """Whether it is known, before it runs, that it gives items."""
        return self in {Shape.ASYNC_GENERATOR, Shape.GENERATOR}


def shape_of(function: Callable[..., Any]) -> Shape:
    """How to run it; partials, and objects with `__call__`, are seen through."""
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        function = type(function).__call__
    if inspect.isasyncgenfunction(function):
        return Shape.ASYNC_GENERATOR
    if inspect.isgeneratorfunction(function):
        return Shape.GENERATOR
    if inspect.iscoroutinefunction(function):
        return Shape.COROUTINE
    return Shape.FUNCTION


def takes_argument(function: Callable[..., Any]) -> bool:
    """Whether it can be called with one positional argument, the request."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, without a signature
        return True
    return any(
        each.kind
        in {
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
        }
        for each in parameters
    )
