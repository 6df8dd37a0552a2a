"""What user code may return, as JSON."""

import datetime as dt
import ipaddress
import json
import re
import uuid
from collections import OrderedDict, UserDict, deque, namedtuple
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath

import numpy as np
import pydantic
import pytest
from fastapi.encoders import jsonable_encoder
from hypothesis import given
from hypothesis import strategies as st

from workbench.replica.json_text import encode_json


class Colour(Enum):
    RED = "red"


class Item(pydantic.BaseModel):
    name: str
    price: Decimal = Decimal("1.50")


@dataclass
class Point:
    x: int
    tags: frozenset[str] = frozenset({"a"})


class Plain:
    def __init__(self):
        self.seen = {1}


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - the old kind is returned, too

LIKE_FASTAPI = [
    {"a": [1, 2.5, None, True, "é"]},
    {7: "a", 2.5: "b", None: "c", True: "d"},
    (1, 2),
    {3},
    frozenset({"x"}),
    deque([1, 2]),
    OrderedDict(a=1),
    Pair(1, {2}),
    Colour.RED,
    {Colour.RED: Colour.RED},
    Item(name="n"),
    [Item(name="n")],
    Point(1),
    Plain(),
    b"text",
    Decimal(3),
    Decimal("3.5"),
    dt.datetime(2024, 1, 2, 3, 4, 5),  # noqa: DTZ001 - users return such
    dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    dt.date(2024, 1, 2),
    dt.time(3, 4),
    dt.timedelta(seconds=90),
    uuid.UUID(int=7),
    ipaddress.ip_address("10.0.0.1"),
    ipaddress.ip_network("10.0.0.0/8"),
    PurePosixPath("/a/b"),
    re.compile("a+"),
    pydantic.SecretStr("hidden"),
    pydantic.TypeAdapter(pydantic.AnyUrl).validate_python("http://a.b/c"),
    2**70,
    {"big": -(2**70), "in": [dt.date(2024, 1, 2)]},
    "\ud800",
]


@pytest.mark.parametrize("value", LIKE_FASTAPI, ids=repr)
def test_reads_as_what_fastapi_makes_of_it(value):
    expected = json.loads(json.dumps(jsonable_encoder(value)))

    assert json.loads(encode_json(value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.arange(6).reshape(2, 3).T, [[0, 3], [1, 4], [2, 5]]),
        (np.array(["a", None], dtype=object), ["a", None]),
        (np.float32(0.5), 0.5),
        (np.int8(3), 3),
        (np.bool_(1), True),
        ({"p": np.array([0.5]), "n": np.int64(2)}, {"p": [0.5], "n": 2}),
        ({np.int64(4): 1}, {"4": 1}),
        (np.array([np.nan, 1.0]), [None, 1.0]),
        ([float("inf")], [None]),
        ({2**70: float("nan")}, {str(2**70): None}),
        (ValueError("broke"), "broke"),
        ({"e": KeyError("k")}, {"e": "'k'"}),
        ({"k": {"a": 1}.keys(), "v": {"a": 1}.values()}, {"k": ["a"], "v": [1]}),
        (range(3), [0, 1, 2]),
        (iter("ab"), ["a", "b"]),
        (UserDict(a=1), {"a": 1}),
    ],
    ids=repr,
)
def test_knows_arrays_exceptions_and_views(value, expected):
    assert json.loads(encode_json(value)) == expected


def test_a_data_frame_becomes_records(monkeypatch):
    class DataFrame:
        def to_dict(self, orient):
            return [{"a": 1}] if orient == "records" else None

    monkeypatch.setitem(
        __import__("sys").modules,
        "pandas",
        type("pandas", (), {"DataFrame": DataFrame}),
    )

    assert encode_json({"rows": DataFrame()}) == b'{"rows":[{"a":1}]}'


@pytest.mark.parametrize("value", [object(), {"f": len}, [{(1, 2): 3}], Item, 1j])
def test_what_has_no_json_form_is_named(value):
    with pytest.raises(TypeError, match="JSON"):
        encode_json(value)


def test_a_value_that_holds_itself_is_refused():
    value: list[object] = []
    value.append(value)

    with pytest.raises(TypeError, match="holds itself"):
        encode_json(value)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_json_values_come_back_as_they_were(value):
    assert json.loads(encode_json(value)) == value
