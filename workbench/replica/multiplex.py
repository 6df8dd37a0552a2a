"""`@serve.multiplexed`: one replica holds several models and loads them as they are asked.

What users decorate becomes a `Multiplexed`; every object whose method it is has a
`Models` of its own. The server tells routers which models are held, so that calls for
one go to where it is.
"""

import asyncio
import inspect
import weakref
from collections import OrderedDict
from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

from workbench.replica.shape import Shape, shape_of
from workbench.request import apart, current_request

__all__ = [
    "Models",
    "Multiplexed",
    "get_multiplexed_model_id",
    "held_models",
    "multiplexed",
    "set_models_listener",
]

# Where an object keeps its models: beside what it holds otherwise, so that they stay
# loaded when new code takes over the object.
_MODELS = "_workbench_models"

_tell: Callable[[], None] = lambda: None  # noqa: E731 - replaced as a whole
_all_models: "weakref.WeakSet[Models]" = weakref.WeakSet()


def multiplexed(
    func: Callable[..., Any] | None = None,
    /,
    *,
    max_num_models_per_replica: int = 3,
    max_concurrent_loads: int = 1,
) -> Any:
    """Keep what a loader returns for each model id, the last used ones.

    The loader takes a model id and returns the model; `def` runs in a thread. Callers
    that ask for the same id share one load. When there would be more than
    `max_num_models_per_replica` (-1: no limit), the one that was not asked for longest
    is let go before the new one is loaded: an `async def __del__` of it is awaited, any
    other one runs when nobody uses the model any more.

    Raises:
        TypeError: it decorates no function of one model id, or an option is no number.
        ValueError: an option is 0 or below -1.
    """
    _require_count(
        "max_num_models_per_replica", max_num_models_per_replica, or_all=True
    )
    _require_count("max_concurrent_loads", max_concurrent_loads, or_all=False)

    def decorate(function: Callable[..., Any]) -> "Multiplexed":
        _check_loader(function)
        return Multiplexed(function, max_num_models_per_replica, max_concurrent_loads)

    return decorate if func is None else decorate(func)


def get_multiplexed_model_id() -> str:
    """Model id of the request that the current code works for; "" if it names none.

    Callers name it with the header `serve_multiplexed_model_id` or with
    `handle.options(multiplexed_model_id=...)`.
    """
    return current_request.get().multiplexed_model_id


def held_models() -> frozenset[str]:
    """Ids of all models that are held or being loaded in this process."""
    return frozenset().union(*(each.ids() for each in _all_models))


def set_models_listener(tell: Callable[[], None]) -> None:
    """Call this whenever `held_models` has changed."""
    global _tell  # noqa: PLW0603 - a process is one replica
    _tell = tell


class Multiplexed:
    """What `@serve.multiplexed` makes of a loader."""

    def __init__(self, function: Callable[..., Any], limit: int, loads: int) -> None:
        update_wrapper(self, function)
        self.limit = limit
        self.loads = loads

    def __get__(self, owner: object | None, cls: type | None = None) -> Any:
        return self if owner is None else _Loader(self, owner)

    async def __call__(self, model_id: object) -> object:
        return await _models_of(self, self).get(model_id, self.__wrapped__)  # type: ignore[attr-defined]

    def __reduce__(self) -> tuple[Any, ...]:
        # Models stay behind: they belong to this process.
        return Multiplexed, (self.__wrapped__, self.limit, self.loads)  # type: ignore[attr-defined]


class _Loader:
    """A loader and the object whose method it is, ready to be called."""

    __slots__ = ("_multiplexed", "_owner")

    def __init__(self, multiplexed: Multiplexed, owner: object) -> None:
        self._multiplexed = multiplexed
        self._owner = owner

    async def __call__(self, model_id: object) -> object:
        load = partial(self._multiplexed.__wrapped__, self._owner)  # type: ignore[attr-defined]
        return await _models_of(self._multiplexed, self._owner).get(model_id, load)


class Models:
    """The models that one object holds, least recently asked for first."""

    def __init__(self, name: str, limit: int, loads: int) -> None:
        self._name = name
        self.limit = limit
        """-1: none."""
        self._held: OrderedDict[str, object] = OrderedDict()
        self._loading: dict[str, asyncio.Task[object]] = {}
        # No more loads at a time than models may be held: each needs a place.
        self._turn = asyncio.Semaphore(min(loads, limit) if limit > 0 else loads)
        self._active = 0

    def ids(self) -> frozenset[str]:
        """Models held or being loaded."""
        return frozenset((*self._held, *self._loading))

    async def get(self, model_id: object, load: Callable[..., Any]) -> object:
        """The model, loaded if it has to be.

        Raises:
            TypeError: the id is no text.
            ValueError: the id is empty.
        """
        if not isinstance(model_id, str):
            msg = f"{self._name} takes a model id as text; got {model_id!r}."
            raise TypeError(msg)
        if not model_id:
            msg = (
                f"{self._name} got an empty model id. Callers name a model with the "
                "header serve_multiplexed_model_id or with "
                "handle.options(multiplexed_model_id=...)."
            )
            raise ValueError(msg)
        if model_id in self._held:
            self._held.move_to_end(model_id)
            return self._held[model_id]
        task = self._loading.get(model_id)
        if task is None:
            work = self._load(model_id, load)
            task = self._loading[model_id] = asyncio.create_task(work)
            task.add_done_callback(partial(self._loaded, model_id))
            _tell()
        # A caller who leaves does not stop a load that others, or later calls, need.
        return await asyncio.shield(task)

    async def _load(self, model_id: str, load: Callable[..., Any]) -> object:
        # Nor are the calls cancelled that loading it takes.
        current_request.set(apart(current_request.get()))
        async with self._turn:
            self._active += 1
            try:
                while 0 < self.limit < len(self._held) + self._active and self._held:
                    await self._let_go()
                model = await _run(load, model_id)
                self._held[model_id] = model
            finally:
                self._active -= 1
            return model

    def _loaded(self, model_id: str, task: asyncio.Task[object]) -> None:
        del self._loading[model_id]
        if not task.cancelled():
            task.exception()  # looked at: every caller may have left
        _tell()

    async def _let_go(self) -> None:
        """Give up the model that was not asked for longest."""
        _, model = self._held.popitem(last=False)
        _tell()
        finalise = _async_finaliser(type(model))
        if finalise is not None:
            await finalise(model)


async def _run(load: Callable[..., Any], model_id: str) -> object:
    if shape_of(load) is Shape.COROUTINE:
        return await load(model_id)
    model = await asyncio.to_thread(load, model_id)
    return await model if inspect.isawaitable(model) else model


def _async_finaliser(kind: type) -> Callable[[object], Any] | None:
    """Its `async def __del__`, which Python could not await: it is taken off the class."""
    known: Callable[[object], Any] | None = getattr(kind, "__workbench_del__", None)
    if known is not None:
        return known
    hook: Callable[[object], Any] | None = getattr(kind, "__del__", None)
    if hook is None or not inspect.iscoroutinefunction(hook):
        return None
    kind.__workbench_del__ = hook  # type: ignore[attr-defined]
    kind.__del__ = lambda _self: None  # type: ignore[attr-defined]
    return hook


def _models_of(multiplexed: Multiplexed, owner: object) -> Models:
    name: str = multiplexed.__wrapped__.__qualname__  # type: ignore[attr-defined]
    kept: dict[str, Models] = owner.__dict__.setdefault(_MODELS, {})
    found = kept.get(name)
    if found is None:
        found = kept[name] = Models(name, multiplexed.limit, multiplexed.loads)
        _all_models.add(found)
    found.limit = multiplexed.limit
    return found


def _check_loader(function: object) -> None:
    if not inspect.isfunction(function):
        msg = f"@serve.multiplexed decorates a function or method; got {function!r}."
        raise TypeError(msg)
    names = list(inspect.signature(function).parameters)
    is_method = bool(names) and "." in function.__qualname__ and names[0] == "self"
    if len(names) - is_method != 1:
        msg = (
            f"The loader {function.__name__} must take exactly one model id; its "
            f"parameters are {names}."
        )
        raise TypeError(msg)


def _require_count(name: str, value: object, *, or_all: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"{name} must be a whole number; got {value!r}."
        raise TypeError(msg)
    if value < 1 and not (or_all and value == -1):
        or_what = ", or -1 for no limit" if or_all else ""
        msg = f"{name} must be at least 1{or_what}; got {value}."
        raise ValueError(msg)
