"""A replica takes one version after the other, each with its own surroundings."""

import inspect
import sys
import types
from typing import Any

import msgspec
import pytest

from workbench.code.blob import Blob
from workbench.code.load import load_args, load_code
from workbench.errors import ShippingError


def load(blob) -> Any:
    return load_code(blob)


MODEL = """
class Model:
    def __init__(self, n=1): self.n = n
    def __call__(self): return scale(self.n)
def scale(x): return x * FACTOR
FACTOR = 2
"""


@pytest.fixture
def shipped(notebook):
    """Ships from the notebook, then turns this process into a replica."""

    def ship(*args, **kwargs):
        made = notebook.ship("Model", *args, **kwargs)
        notebook.forget_modules()
        return made

    return ship


@pytest.fixture
def author(notebook):
    """Goes back to the notebook, after a load put its own `__main__` in place."""

    def author(source):
        sys.modules["__main__"] = notebook.main
        notebook.forget_modules()
        notebook.cell(source)

    return author


def test_old_code_serves_on_beside_new_code(author, shipped):
    author(MODEL)
    old = load(shipped().code)()
    author(MODEL.replace("FACTOR = 2", "FACTOR = 3"))
    new = load(shipped().code)()

    assert (old(), new()) == (2, 3)


def test_the_same_class_with_another_global_is_a_new_class(author, shipped):
    """cloudpickle would hand out the old class, with its methods changed."""
    author(MODEL)
    first = load(shipped().code)
    instance = first()
    author("FACTOR = 3")
    second = load(shipped().code)

    assert second is not first
    assert (instance(), second()()) == (2, 3)


def test_main_is_the_authors(author, shipped):
    author(MODEL)
    model = load(shipped().code)
    main = sys.modules["__main__"]

    assert main.Model is model
    assert main.scale.__globals__ is vars(main)
    assert inspect.getmodule(model) is main


def test_a_changed_local_module_is_imported_anew(notebook, replica):
    def ship(rate, unit):
        notebook.module("rates", f"import units\nRATE = {rate}\n")
        notebook.module("units", f"UNIT = {unit!r}\n")
        notebook.module("stable", "calls = []\n")
        notebook.module("pack/__init__", "")
        notebook.module("pack/inner", f"VALUE = {rate}\n")
        notebook.restart()
        notebook.cell(
            """
import rates, stable
from pack import inner
class Model:
    def __call__(self):
        from pack import inner as found
        stable.calls.append(1)
        return rates.RATE, rates.units.UNIT, inner.VALUE, found.VALUE, len(stable.calls)
"""
        )
        return notebook.ship("Model")

    first, *later = ship(1, "m"), ship(1, "km"), ship(2, "km")
    answers = replica(
        first,
        """
old = target()
answer([old(), *(load_code(each)()() for each in later), old()])
""",
        *later,
    )

    assert answers[:3] == [[1, "m", 1, 1, 1], [1, "km", 1, 1, 2], [2, "km", 2, 2, 3]]
    assert answers[3] == [1, "m", 1, 2, 4]


def test_a_load_that_fails_changes_nothing(notebook, author, shipped):
    notebook.module("rates", "RATE = 1\n")
    author("import rates\nclass Model:\n    def __call__(self): return rates.RATE\n")
    model = load(shipped().code)
    main, rates = sys.modules["__main__"], sys.modules["rates"]
    notebook.module("rates", "RATE = 2\n")
    notebook.module("broken", "VALUE = 1\n")
    author("import rates, broken\ndef Model(): return rates, broken\n")
    notebook.module("broken", "raise RuntimeError('of the user')\n")
    failing = shipped().code
    sys.modules["__main__"], sys.modules["rates"] = main, rates

    with pytest.raises(RuntimeError, match="of the user"):
        load(failing)

    assert sys.modules["__main__"] is main
    assert sys.modules["rates"] is rates
    assert model()() == 1
    assert inspect.getsource(rates) == "RATE = 1\n"


def test_arguments_are_of_the_classes_that_were_loaded(notebook, author, shipped):
    author(MODEL)
    inner = notebook.main.Model(5)
    shipment = shipped(inner, n=[inner])
    model = load(shipment.code)
    (received,), kwargs = load_args(shipment.args)

    assert type(received) is model
    assert vars(received) == {"n": 5}
    assert kwargs == {"n": [received]}


def test_a_module_that_only_an_argument_needs_travels_with_it(
    notebook, author, shipped
):
    notebook.module("things", "class Thing:\n    n = 4\n")
    author("import things\nclass Model:\n    def __init__(self, thing): pass\n")
    shipment = shipped(notebook.main.things.Thing())
    load(shipment.code)
    (thing,), _ = load_args(shipment.args)

    assert vars(type(thing))["n"] == 4
    assert isinstance(sys.modules["things"], types.ModuleType)


def test_names_in_annotations_as_text_are_there(author, shipped):
    author(
        """
from __future__ import annotations
import typing
class Item: pass
class Model:
    part: Item
    def __call__(self, item: typing.Optional[Item]) -> Item: ...
"""
    )
    model = load(shipped().code)

    assert inspect.get_annotations(model, eval_str=True)["part"].__name__ == "Item"
    call = inspect.get_annotations(model.__call__, eval_str=True)
    assert call["return"] is sys.modules["__main__"].Item


def test_byte_code_of_another_python_is_refused(author, shipped):
    author(MODEL)
    blob = msgspec.msgpack.decode(shipped().code, type=Blob)
    foreign = msgspec.structs.replace(blob, python="2.7")

    with pytest.raises(ShippingError, match=r"sent by Python 2\.7") as caught:
        load(msgspec.msgpack.encode(foreign))
    assert "same Python" in caught.value.hint
