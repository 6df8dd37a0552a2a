"""Any value that user code may return, as JSON text.

Called by `respond`. orjson does the work; `_simpler` says what orjson does not know:
the types of FastAPI's encoder, arrays and tensors, data frames, exceptions. No I/O.
"""

import dataclasses
import datetime as dt
import ipaddress
import json
import math
import pathlib
import re
import sys
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, KeysView, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from decimal import Decimal
from enum import Enum
from functools import singledispatch
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import NoReturn

import orjson

__all__ = ["encode_json"]


def encode_json(value: object) -> bytes:
    """JSON text of `value`, without spaces; NaN and infinities become null.

    Raises:
        TypeError: something in it has no JSON form; says what, and what has.
    """
    try:
        return orjson.dumps(value, _simpler, orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        pass
    # Keys that are not text, integers beyond 64 bits, lone surrogates: they are rare
    # and may take long. What has no JSON form at all is found again here, and named.
    try:
        text = json.dumps(_plain(value), separators=(",", ":"))
    except RecursionError:
        msg = "The value is nested too deeply for JSON, or holds itself."
        raise TypeError(msg) from None
    return text.encode("ascii")


def _plain(value: object) -> object:
    """The value made of nothing but what `json` knows."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return _plain(_simpler(value))


def _plain_key(key: object) -> object:
    plain = _plain(key)
    if plain is None or isinstance(plain, bool | int | float | str):
        return plain
    msg = f"JSON has no keys of type {type(key).__name__}, like {key!r}; use text."
    raise TypeError(msg)


@singledispatch
def _simpler(value: object) -> object:
    """One step towards JSON, for types that are not registered below."""
    if hasattr(value, "tolist"):  # arrays, tensors, and their scalars
        return value.tolist()
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        return value.to_dict(orient="records")
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if type(value).__module__.startswith("pydantic"):  # URLs, secrets, colours
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in dataclasses.fields(value)]
        return {name: getattr(value, name) for name in names}
    return _content(value)


def _content(value: object) -> object:
    """What `dict` makes of a value of an unknown class, else its attributes."""
    for read in (dict, vars):
        try:
            return read(value)  # type: ignore[call-overload]  # it fails, or is right
        except (TypeError, ValueError):
            continue
    return _refuse(value)


def _refuse(value: object) -> NoReturn:
    msg = (
        f"{value!r:.80} ({type(value).__name__}) has no JSON form. Return text, bytes, "
        "numbers, lists, dicts, arrays, dataclasses, pydantic models or a Response."
    )
    raise TypeError(msg)


def _to_text(value: object) -> str:
    return str(value)


def _to_list(value: Iterable[object]) -> list[object]:
    return list(value)


_REFUSED: tuple[type, ...] = (type, FunctionType, BuiltinFunctionType, MethodType)
_TEXTS: tuple[type, ...] = (
    BaseException,
    pathlib.PurePath,
    uuid.UUID,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)
_LISTS: tuple[type, ...] = (
    tuple,
    AbstractSet,
    deque,
    range,
    KeysView,
    ValuesView,
    Iterator,
)

for _step, _types in ((_refuse, _REFUSED), (_to_text, _TEXTS), (_to_list, _LISTS)):
    for _type in _types:
        _simpler.register(_type, _step)


@_simpler.register(Mapping)
def _(value: Mapping[object, object]) -> object:
    return dict(value)


@_simpler.register(bytes)
@_simpler.register(bytearray)
@_simpler.register(memoryview)
def _(value: bytes) -> object:
    return bytes(value).decode()


@_simpler.register(dt.date)
@_simpler.register(dt.time)
def _(value: dt.date | dt.time) -> object:
    return value.isoformat()


@_simpler.register
def _(value: dt.timedelta) -> object:
    return value.total_seconds()


@_simpler.register
def _(value: Decimal) -> object:
    exponent = value.as_tuple().exponent
    return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)


@_simpler.register
def _(value: re.Pattern) -> object:  # type: ignore[type-arg]  # singledispatch's rule
    return value.pattern
