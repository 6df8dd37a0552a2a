"""A hash changes with what the code does and holds, and with nothing else."""

import copy
import datetime as dt
import decimal
import enum
import pathlib
import pickle
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.code.conftest import REPOSITORY, run_python
from workbench.code.version import hash_value

BASE = """
import math
RATE = 2
LABELS = {"cat", "dog", "bird"}

def helper(x):
    return x * RATE

def load(path):
    return parse(path)

def parse(path):
    return path + "!"

class Base:
    def common(self):
        return 1

class Model(Base):
    size = 3

    def __init__(self, path):
        self.weights = load(path)
        self.warm_up()

    def warm_up(self):
        return self.size

    def predict(self, x):
        return helper(x) + math.pi if x in {"a", "b", "c"} else LABELS
"""


class Hashes:
    """Ships `Model` from a notebook that was started just for this source."""

    def __init__(self, notebook):
        self.notebook = notebook

    def of(self, source, *args, **kwargs):
        self.notebook.restart()
        self.notebook.cell(textwrap.dedent(source))
        made = self.notebook.ship("Model", *args, **kwargs)
        return made.code_hash, made.init_hash

    def changes(self, before, after, *args):
        """Which of (code, init) differ."""
        pairs = zip(self.of(before, *args), self.of(after, *args), strict=True)
        return tuple(one != other for one, other in pairs)


NOTHING, CODE, BOTH = (False, False), (True, False), (True, True)


@pytest.fixture
def hashes(notebook):
    return Hashes(notebook)


def test_comments_lines_and_formatting_do_not_count(hashes):
    reformatted = BASE.replace(
        "        self.weights = load(path)\n",
        "        # load it\n\n        self.weights = load(\n            path,\n        )\n",
    ).replace("RATE = 2", "RATE=2  # percent\n\n")

    assert reformatted != BASE
    assert hashes.changes(BASE, reformatted) == NOTHING


@pytest.mark.parametrize(
    ("what", "before", "after", "expected"),
    [
        ("a method", "helper(x) +", "helper(x) -", CODE),
        ("a constant", "math.pi", "4", CODE),
        ("a function it calls", "x * RATE", "x + RATE", CODE),
        ("a global's value", "RATE = 2", "RATE = 3", CODE),
        ("an element of a set", '"dog"', '"fish"', CODE),
        ("an inherited method", "return 1", "return 2", CODE),
        ("a new method", "def common", "def more(self): pass\n    def common", CODE),
        ("the constructor", "= load(path)", "= load(path * 2)", BOTH),
        ("what it calls in turn", '+ "!"', '+ "?"', BOTH),
        ("a method that it calls", "return self.size", "return 0", BOTH),
        ("a class attribute that this reads", "size = 3", "size = 4", BOTH),
        ("the bases", "Model(Base)", "Model(Base, dict)", BOTH),
        ("the base's name", "Base", "Bass", BOTH),
        ("a constructor of a base", "def common", "def __new__", BOTH),
        ("what nobody uses", "import math", "import math\nunused = 1", NOTHING),
    ],
)
def test_what_a_change_touches(hashes, what, before, after, expected):
    assert before in BASE, what
    assert hashes.changes(BASE, BASE.replace(before, after)) == expected


def test_the_name_of_the_class_counts_for_its_instances(hashes):
    renamed = BASE.replace("class Model", "class Modern") + "\nModel = Modern\n"

    assert hashes.changes(BASE, renamed) == BOTH


def test_a_constructor_above_counts_and_methods_beside_it_do_not(hashes):
    source = """
    class Base:
        def __init__(self): self.a = 1
    class Model(Base):
        def __init__(self):
            super().__init__()
            self.kind = __class__
        def other(self): return 2
    """

    assert hashes.changes(source, source.replace("return 2", "return 3")) == CODE
    assert hashes.changes(source, source.replace("self.a = 1", "self.a = 2")) == BOTH


def test_a_constructor_may_read_arrays(hashes):
    before = """
        import numpy as np
        ROWS = np.arange(6.0)

        class Model:
            def __init__(self):
                self.mean = ROWS.mean()

            def predict(self):
                return self.mean
    """

    assert hashes.changes(before, before) == NOTHING
    assert hashes.changes(before, before.replace("6.0", "7.0")) == BOTH


def test_fields_of_a_dataclass_are_its_constructor(hashes):
    source = """
    from dataclasses import dataclass
    @dataclass
    class Model:
        rate: float = 0.5
        def __post_init__(self): self.prepare()
        def prepare(self): self.x = 1
        def __call__(self): return self.x
    """

    assert hashes.changes(source, source.replace("0.5", "0.6")) == BOTH
    assert hashes.changes(source, source.replace("self.x = 1", "self.x = 2")) == BOTH
    assert hashes.changes(source, source.replace("return self.x", "pass")) == CODE


def test_an_abstract_base_or_a_property_changes_nothing_by_itself(hashes):
    source = """
    import abc
    class Base(abc.ABC):
        @abc.abstractmethod
        def run(self): ...
    class Model(Base):
        def __init__(self): self.n = self.twice
        @property
        def twice(self): return self.size * 2
        size = 4
        def run(self): return isinstance(self, Base)
    """

    assert hashes.changes(source, source) == NOTHING
    assert hashes.changes(source, source.replace("* 2", "* 3")) == BOTH
    assert hashes.changes(source, source.replace("size = 4", "size = 5")) == BOTH
    assert hashes.changes(source, source.replace("isinstance(", "issubclass(")) == CODE


def test_bind_arguments_count_by_content(hashes):
    def init(*args, **kwargs):
        return hashes.of(BASE, *args, **kwargs)[1]

    assert init(np.arange(4)) == init(np.arange(4))
    assert init(np.arange(4)) != init(np.arange(4.0))
    assert init(path={"a": [1]}) == init(path={"a": [1]})
    assert init(path={"a": [1]}) != init({"a": [1]})
    assert hashes.of(BASE, 1)[0] == hashes.of(BASE, 2)[0]


def test_what_stands_for_an_argument_counts_in_its_place(notebook):
    notebook.cell(BASE)

    def init(path, stands_for):
        def substitute(each):
            return stands_for if isinstance(each, pathlib.Path) else None

        value = [pathlib.Path(path)]
        return notebook.ship("Model", value, substitute=substitute).init_hash

    assert init("1", "a") == init("2", "a") != init("1", "b")


def test_functions_that_look_alike_are_told_apart(hashes):
    source = """
    def make(step):
        return lambda value: value + step
    one, two = make(1), make(2)
    class Model:
        def __call__(self, value):
            return one(value), two(value)
    """

    swapped = source.replace("make(1), make(2)", "make(2), make(1)")
    assert hashes.changes(source, swapped) == CODE
    assert hashes.changes(source, source) == NOTHING


def test_sets_of_functions_and_cycles_have_a_hash(hashes):
    source = """
    def one(): return two()
    def two(): return one
    class Node:
        def __init__(self): self.me, self.all = self, {one, two, Node}
    nodes = [Node()]
    nodes.append(nodes)
    class Model:
        def __call__(self): return nodes
    """

    assert hashes.changes(source, source) == NOTHING
    assert hashes.changes(source, source.replace("return two()", "return 0")) == CODE


def test_dataclasses_enums_models_and_types_have_a_hash(hashes):
    source = """
    import dataclasses, enum, typing, functools, threading, logging, re, abc
    from pydantic import BaseModel, Field, field_validator
    T = typing.TypeVar("T")
    class Color(enum.Enum):
        RED = 1
    @dataclasses.dataclass
    class Point(typing.Generic[T]):
        x: int = 1
        color: Color = Color.RED
        more: list = dataclasses.field(default_factory=list)
    class Item(BaseModel):
        name: str = Field("n", max_length=9)
        @field_validator("name")
        @classmethod
        def check(cls, value): return value
    class Model(abc.ABC):
        lock = threading.Lock()
        log = logging.getLogger("x")
        pattern = re.compile("a+")
        @functools.cached_property
        def item(self) -> Item: return Item()
        @functools.lru_cache
        def point(self, kind: typing.Annotated[Point[int], "p"]): return Point()
    """

    assert hashes.changes(source, source) == NOTHING
    for before, after in [
        ("RED = 1", "RED = 2"),
        ("x: int = 1", "x: int = 2"),
        ("max_length=9", "max_length=8"),
        ('validator("name")', 'validator("name", mode="before")'),
        ('"a+"', '"b+"'),
        ("return Item()", "return Item(name='m')"),
    ]:
        assert hashes.changes(source, source.replace(before, after)) == CODE, before


APP = """
from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel
from workbench import serve

app = FastAPI()
router = APIRouter()
class Item(BaseModel):
    name: str
def user() -> str:
    return "me"
@router.get("/ping")
def ping():
    return "pong"
app.include_router(router, prefix="/v1")

@serve.deployment
@serve.ingress(app)
class Model:
    def __init__(self):
        self.n = 1
    @app.get("/hello", status_code=200)
    def hello(self, item: Item, me: str = Depends(user)):
        return me
"""


def test_an_application_counts_by_its_routes(hashes):
    assert hashes.changes(APP, APP) == NOTHING
    for before, after in [
        ('"/hello"', '"/hallo"'),
        ("app.get", "app.put"),
        ("status_code=200", "status_code=201"),
        ('"me"', '"you"'),
        ("name: str", "name: int"),
        ('"pong"', '"pang"'),
        ('"/v1"', '"/v2"'),
        ("FastAPI()", "FastAPI(title='T')"),
    ]:
        assert hashes.changes(APP, APP.replace(before, after)) == CODE, before
    assert hashes.changes(APP, APP.replace("self.n = 1", "self.n = 2")) == BOTH


def test_an_application_that_has_answered_is_the_same(notebook):
    notebook.cell(APP)
    before = notebook.ship("Model")
    notebook.main.app.openapi()

    assert notebook.ship("Model").code_hash == before.code_hash


def test_local_modules_count_by_their_source(notebook, hashes):
    source = """
    import tools
    class Model:
        def __init__(self): tools.start()
        def __call__(self):
            import late
    """

    def write(start="1", deep="1", late="1"):
        notebook.module("tools", f"import deep\ndef start(): return {start}\n")
        notebook.module("deep", f"X = {deep}\n")
        notebook.module("late", f"Y = {late}\n")

    def changed(**parts):
        write(**parts)
        return hashes.of(source)

    code, init = changed()
    assert changed(start="1  # same") == (code, init)
    late = changed(late="2")
    assert late[0] != code
    assert late[1] == init
    assert changed(deep="2")[1] != init
    assert changed(start="2")[1] != init


def test_hashes_are_the_same_in_every_process(tmp_path):
    """Hash seeds, addresses and interned strings differ; the hashes do not."""
    program = f"""
import json, sys
from pathlib import Path
sys.path.insert(0, {str(REPOSITORY)!r})
from workbench.code.ship import ship
padding = [object() for _ in range(int(sys.argv[1]))]
exec({APP!r})
exec({BASE.replace("Model", "Other")!r})
others = {{Other, Base, helper, frozenset(LABELS)}}
class Both(Other):
    def run(self): return others, Model, hello
hello = Model.func_or_class.hello
made = ship(Both, ("".join(["pa", "th"]), LABELS), {{}}, root=Path("."),
            substitute=lambda _: None)
print(json.dumps([made.code_hash, made.init_hash]))
"""
    seen = [run_python(program, tmp_path, seed, hash_seed=seed) for seed in ("1", "77")]

    assert seen[0] == seen[1]


class Suit(enum.Enum):
    HEARTS = 1
    SPADES = 2


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False)
    | st.sampled_from(Suit)
    | st.datetimes()
    | st.decimals(allow_nan=False),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.frozensets(st.text() | st.integers() | st.binary())
    ),
    max_leaves=20,
)


@settings(max_examples=60)
@given(PLAIN)
def test_equal_structures_have_equal_hashes(value):
    found = hash_value(value)

    assert hash_value(copy.deepcopy(value)) == found
    assert hash_value(pickle.loads(pickle.dumps(value))) == found
    assert hash_value([value]) != found
    assert hash_value([value, value]) == hash_value([value, copy.deepcopy(value)])


@settings(max_examples=60)
@given(PLAIN, PLAIN)
def test_different_structures_have_different_hashes(one, other):
    if repr(one) != repr(other) and one != other:
        assert hash_value(one) != hash_value(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("1", b"1"),
        ((1,), [1]),
        (["ab", "c"], ["a", "bc"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (np.zeros(2, "f4"), np.zeros(2, "i4")),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (pathlib.Path("a"), "a"),
        (dt.date(2020, 1, 1), dt.date(2020, 1, 2)),
        (decimal.Decimal("1.0"), decimal.Decimal("1.00")),
        (len, print),
    ],
)
def test_values_that_differ_in_type_or_order_differ(one, other):
    assert hash_value(one) != hash_value(other)


def test_arrays_count_by_content_whatever_their_layout():
    table = np.zeros(3, dtype=[("a", "i1"), ("b", "f8")])
    rows = np.arange(6).reshape(2, 3)

    assert hash_value(rows) == hash_value(np.asfortranarray(rows))
    assert hash_value(table) == hash_value(table.copy())
    assert hash_value(np.array(["x", None])) == hash_value(np.array(["x", None]))


def test_the_version_of_an_installed_package_counts(notebook, monkeypatch):
    notebook.cell("import msgspec\ndef Model(): return msgspec.json\n")
    before = notebook.ship("Model").code_hash
    version = sys.modules["workbench.code.version"]
    monkeypatch.setattr(version, "_distribution", lambda top: f"{top}==99")

    assert notebook.ship("Model").code_hash != before
