"""Whether new code can take over a living instance."""

import abc
import functools
from typing import Any, Generic, TypeVar

import pytest

from workbench.replica.swap import reason_not_to_keep, take_over
from workbench.spec.deployment import Kind

T = TypeVar("T")


def reason(old, new, servable=None, kinds=(Kind.CLASS, Kind.CLASS)):
    servable = old() if servable is None else servable
    return reason_not_to_keep((kinds[0], old), (kinds[1], new), servable)


class Plain(abc.ABC, Generic[T]):
    __slots__ = ("__dict__",)
    model: str
    hook: object

    def method(self):
        return "old"


class Newer(Plain[int]):
    def method(self):
        return f"new {self.model}"


def test_a_class_of_the_usual_kind_is_kept():
    assert reason(Plain, Newer) == ""


def test_the_new_instance_shares_what_the_old_one_holds():
    old: Plain[int] = Plain()
    old.model = "m"
    new: Any = take_over(old, Newer)
    old.model = "n"

    assert new.method() == "new n"
    assert old.method() == "old"


def test_functions_are_simply_replaced():
    assert reason(len, print, len, (Kind.FUNCTION, Kind.FUNCTION)) == ""


def test_a_change_of_kind_is_refused():
    assert "was a class and is a function" in reason(
        Plain, len, kinds=(Kind.CLASS, Kind.FUNCTION)
    )


class WithSlots(Plain[int]):
    __slots__ = ("x",)


class WithNew:
    def __new__(cls):
        return super().__new__(cls)


class WithDel:
    def __del__(self): ...


class WithBase(dict[str, int]): ...


class Abstract(abc.ABC):
    @abc.abstractmethod
    def method(self): ...


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (WithSlots, "__slots__"),
        (WithNew, "__new__"),
        (WithDel, "__del__"),
        (WithBase, "without its constructor"),
        (Abstract, "abstract"),
    ],
)
def test_what_hides_state_or_runs_code_on_the_way_is_refused(new, why):
    assert why in reason(Plain, new)


def test_a_changed_cached_property_is_refused_and_an_unchanged_one_is_not():
    def make(text):
        class Cached:
            @functools.cached_property
            def model(self):
                return len("a") if text else ["b"]

        return Cached

    class Other:
        @functools.cached_property
        def model(self):
            return "other"

    assert reason(make(1), make(2)) == ""
    assert "model changed" in reason(make(1), Other)


@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: [m], lambda m: {"a": m}])
def test_attributes_that_hold_methods_of_the_old_code_are_refused(wrap):
    old: Plain[int] = Plain()
    old.hook = wrap(old.method)

    assert "its attribute hook holds methods" in reason(Plain, Newer, old)
