"""What a notebook ships, a Python that knows nothing of it can run."""

import sqlite3
from pathlib import Path

import pytest

from workbench.code.ship import ship
from workbench.errors import ShippingError

MODEL = """
import functools
from workbench import serve

FACTOR = 2

def scale(value):
    return value * FACTOR

class Parent:
    def describe(self):
        return f"{type(self).__name__} of {self.weight}"

@serve.deployment
class Model(Parent):
    limit = 10

    def __init__(self, weight):
        self.weight = weight

    @property
    def double(self):
        return scale(self.weight)

    @staticmethod
    def add(left, right):
        return left + right

    @classmethod
    def limited(cls, value):
        return min(value, cls.limit)

    @functools.cached_property
    def table(self):
        return list(range(self.weight))

    def nested(self):
        class Inner:
            factor = FACTOR
        return [Inner.factor for _ in self.table]
"""


def test_a_class_of_a_notebook_works_elsewhere(notebook, replica):
    notebook.cell(MODEL)

    answer = replica(
        notebook.ship("Model", weight=3),
        """
m = target(*args, **kwargs)
answer([m.double, m.add(1, 2), m.limited(99), m.table, m.nested(), m.describe()])
""",
    )

    assert answer == [6, 3, 10, [0, 1, 2], [2, 2, 2], "Model of 3"]


def test_source_pickle_and_processes_find_what_they_look_for(notebook, replica):
    notebook.cell("import enum\nclass Color(enum.Enum):\n    RED = 1\n")
    notebook.cell(MODEL)
    notebook.cell("def job(value: 'Color'):\n    return scale(value), Model, Color\n")

    answer = replica(
        notebook.ship("job"),
        """
import inspect, multiprocessing, pickle, traceback, __main__
made = __main__.Model(1)
copied = pickle.loads(pickle.dumps(made))
with multiprocessing.get_context("fork").Pool(1) as pool:
    halves = pool.map(__main__.scale, [1, 2])
try:
    made.table = made.limited("x")
except TypeError:
    text = traceback.format_exc()
answer([
    inspect.getsource(__main__.Model).splitlines()[2],
    inspect.getsource(target).splitlines()[0],
    type(copied) is __main__.Model,
    pickle.loads(pickle.dumps(__main__.Color.RED)) is __main__.Color.RED,
    halves,
    "return min(value, cls.limit)" in text,
])
""",
    )

    assert answer == [
        "    limit = 10",
        "def job(value: 'Color'):",
        True,
        True,
        [2, 4],
        True,
    ]


def test_functions_share_one_namespace_in_the_replica(notebook, replica):
    notebook.cell(
        """
count = 0
def bump():
    global count
    count += 1
def target():
    bump()
    return count
"""
    )

    assert replica(notebook.ship("target"), "target()\nanswer(target())") == 2


def test_closures_lambdas_and_caches_travel(notebook, replica):
    notebook.cell(
        """
import functools

def make(step):
    def inner(value, by=step):
        return later(value) + step * by
    return inner

@functools.lru_cache(maxsize=None)
def later(value):
    return value + 100

add_three = make(3)
table = {"square": lambda value: value * value}

class Model:
    run = staticmethod(functools.partial(add_three, by=2))

    def __call__(self, value):
        return self.run(table["square"](value))
"""
    )

    assert replica(notebook.ship("Model"), "answer(target()(5))") == 131


def test_a_fastapi_application_travels_with_its_class(notebook, replica):
    notebook.cell(
        """
from fastapi import APIRouter, Depends, FastAPI
from pydantic import BaseModel, field_validator
from workbench import serve

app = FastAPI(title="Greeter")
router = APIRouter(prefix="/more")

class Greeting(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def loud(cls, text):
        return text.upper()

def punctuation() -> str:
    return "!"

@router.get("/ping")
def ping():
    return "pong"

app.include_router(router)

@serve.deployment
@serve.ingress(app)
class Greeter:
    @app.get("/hello", response_model=Greeting)
    def hello(self, name: str, end: str = Depends(punctuation)):
        return Greeting(text=f"hello {name}{end}")

@app.post("/echo")
def echo(greeting: Greeting) -> Greeting:
    return greeting
"""
    )

    answer = replica(
        notebook.ship("Greeter"),
        """
import warnings
warnings.simplefilter("ignore")
from fastapi.testclient import TestClient
app = target.__serve_asgi_app__
client = TestClient(app)
answer([
    client.post("/echo", json={"text": "a"}).json(),
    client.post("/echo", json={}).status_code,
    client.get("/more/ping").json(),
    client.get("/openapi.json").json()["info"]["title"],
    any(getattr(r, "endpoint", 0) is target.hello for r in app.routes),
])
""",
    )

    assert answer == [{"text": "A"}, 422, "pong", "Greeter", True]


def test_local_modules_travel_as_source(notebook, replica):
    notebook.module("shapes/__init__", "from .round import Circle\n")
    notebook.module(
        "shapes/round", "from . import units\nclass Circle:\n    u = units.U\n"
    )
    notebook.module("shapes/units", "import deep.one\nU = deep.one.NAME\n")
    notebook.module("deep/one", "NAME = 'metre'\n")
    notebook.module("lazy", "def work():\n    raise ValueError('no')\n")
    notebook.cell(
        """
import shapes
def target():
    from lazy import work
    return shapes.Circle.u, work
"""
    )

    answer = replica(
        notebook.ship("target"),
        """
import inspect, pickle, traceback
unit, work = target()
from shapes import Circle
try:
    work()
except ValueError:
    text = traceback.format_exc()
copied = pickle.loads(pickle.dumps(Circle()))
answer([unit, inspect.getsource(work)[:10], type(copied) is Circle,
        "raise ValueError('no')" in text])
""",
    )

    assert answer == ["metre", "def work()", True, True]


def test_a_deployment_of_a_local_module_is_the_one_that_its_module_holds(
    notebook, replica
):
    notebook.module(
        "app",
        """
from workbench import serve
calls = []
def note(name):
    calls.append(name)
@serve.deployment
class Model:
    def __call__(self):
        note("called")
        return calls
""",
    )
    notebook.cell("from app import Model")

    answer = replica(
        notebook.ship("Model"),
        """
import app, inspect, pickle
model = target()
answer([model(), app.calls, app.Model.func_or_class is target,
        inspect.getsource(target).strip().splitlines()[0]])
""",
    )

    assert answer[:3] == [["called"], ["called"], True]
    assert answer[3] == "@serve.deployment"


def test_objects_in_arguments_are_substituted_at_any_depth(notebook, replica):
    notebook.cell(
        """
class Application: pass
class Config:
    def __init__(self, inner):
        self.inner = inner
class Model:
    def __init__(self, config, *rest):
        self.config = config
app = Application()
"""
    )
    config = notebook.main.Config({"deep": [notebook.main.app]})

    def substitute(value):
        return "a handle" if isinstance(value, notebook.main.Application) else None

    answer = replica(
        notebook.ship("Model", config, notebook.main.app, substitute=substitute),
        """
import __main__
answer([args[0].inner, args[1], type(args[0]) is __main__.Config])
""",
    )

    assert answer == [{"deep": ["a handle"]}, "a handle", True]


def test_arguments_share_the_classes_of_the_code(notebook, replica):
    notebook.cell(
        """
import dataclasses
@dataclasses.dataclass
class Config:
    size: int
class Model:
    def __init__(self, config):
        assert isinstance(config, Config)
        self.size = config.size
"""
    )

    shipment = notebook.ship("Model", notebook.main.Config(4))

    assert replica(shipment, "answer(target(*args).size)") == 4


def test_the_error_names_the_global_and_the_line(notebook):
    notebook.cell(
        """
import sqlite3
class Client:
    def __init__(self):
        self.session = {"db": sqlite3.connect(":memory:")}
client = Client()
class Model:
    def predict(self):
        return [client for _ in range(2)]
"""
    )

    with pytest.raises(ShippingError) as caught:
        notebook.ship("Model")

    message = caught.value.message
    assert "Model.predict uses the global `client`" in message
    assert "line 9" in message
    assert "`client.session['db']` (sqlite3.Connection)" in message
    assert "__init__" in caught.value.hint


def test_the_error_gives_the_number_of_the_cell(notebook):
    filename = notebook.cell("lines = (line for line in ())\ndef f(): lines\n")

    class Shell:
        class compile:  # noqa: A001, N801 - IPython's names
            @staticmethod
            def format_code_name(name):
                return ("Cell", "In[3]") if name == filename else None

    notebook.main.get_ipython = Shell

    with pytest.raises(ShippingError, match=r"\(Cell In\[3\], line 2\)"):
        notebook.ship("f")


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("class Model:\n    x = socket()\n", "class attribute `x`"),
        ("def Model(a=socket()): pass\n", "default of argument `a`"),
        ("def f(c):\n  return lambda: c\nModel = f(socket())\n", "variable `c`"),
        ("def g(): log\nlog = socket()\ndef Model(): g()\n", "global `log` .+ line 2"),
    ],
)
def test_the_error_names_whatever_holds_it(notebook, source, named):
    notebook.cell("def socket(): return iter(memoryview(b''))\n" + source)

    with pytest.raises(ShippingError, match=named):
        notebook.ship("Model")


def iter_nothing():
    yield from ()


def test_the_error_names_the_argument(notebook):
    notebook.cell("class Model:\n    def __init__(self, client, **more): pass\n")

    with pytest.raises(ShippingError, match=r"`client\['a'\]\[0\]` \(generator\)"):
        notebook.ship("Model", {"a": [iter_nothing()]})
    with pytest.raises(
        ShippingError, match=r"given `db` \(sqlite3.Connection"
    ) as caught:
        notebook.ship("Model", 1, db=sqlite3.connect(":memory:"))
    assert "create it in __init__" in caught.value.hint


def test_what_is_large_is_named_with_its_size(notebook):
    notebook.cell(
        """
data = b"x" * 3_000_000
small = b"x" * 900_000
def read():
    return data, small
class Model:
    def __init__(self, weights): pass
    def __call__(self): return read()
"""
    )

    warnings = notebook.ship("Model", b"y" * 2_000_000).warnings

    assert len(warnings) == 2
    assert "global `data` of read is 3.0 MB" in warnings[0]
    assert "argument `weights` of Model is 2.0 MB" in warnings[1]
    assert notebook.ship("Model", 1).warnings == warnings[:1]


def test_a_pydantic_model_made_in_a_function_does_not_bring_all_names_around_it():
    import ssl

    from pydantic import BaseModel

    context = ssl.create_default_context()  # beside the model, and cannot travel

    class Item(BaseModel):
        name: str

    class Shop:
        def sell(self):
            return Item(name="tea").name

    assert context is not None
    assert ship(Shop, (), {}, root=Path.cwd(), substitute=lambda _: None).code
