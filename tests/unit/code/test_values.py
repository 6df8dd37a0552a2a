"""Values go to another process and back, and are what they were."""

import dataclasses
import io
import re
import threading
import types
from typing import Any

import cloudpickle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.code.values import dump_value, load_value
from workbench.errors import ShippingError
from workbench.wire import arrays
from workbench.wire.arrays import SharedMemory, Stored

SOURCE = """
import dataclasses, enum
from workbench import serve

class MyError(ValueError):
    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code

class Color(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Point:
    x: int
    y: int = 0
    calls = 0
    def length(self):
        return abs(self.x) + abs(self.y)

@serve.deployment
class Model:
    def __init__(self, *points): self.points = points
    def __call__(self, x): return Point(x, FACTOR), Color.RED, scale

FACTOR = 3
def scale(x): return x * FACTOR
"""


def receive(buffers) -> Any:
    return load_value(buffers)


def back_and_forth(value) -> Any:
    return receive([bytes(part) for part in dump_value(value)])


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_plain_data_comes_back_equal(value):
    assert back_and_forth(value) == value


def test_large_arrays_travel_outside_of_the_pickle():
    array = np.arange(10_000)
    head, body = dump_value({"a": array})

    assert len(head) < 500
    assert len(body) == array.nbytes
    assert (receive([head, body])["a"] == array).all()
    assert len(dump_value(np.arange(10))) == 1


def test_arrays_can_be_changed_where_they_arrive():
    array = np.arange(10_000)
    received = back_and_forth(array)
    received += 1

    assert received[0] == 1
    assert array[0] == 0


def test_a_writable_buffer_is_used_as_it_is():
    head, body = dump_value(np.arange(10_000))
    arrived = memoryview(bytearray(body))

    assert np.shares_memory(receive([head, arrived]), np.frombuffer(arrived))


def test_a_value_is_sent_as_it_was_when_it_was_given():
    batch = np.zeros(10_000)
    waiting = dump_value(batch)
    batch += 1

    assert not receive(waiting).any()


@pytest.mark.parametrize("room", [0, 1 << 30], ids=["no room", "room"])
def test_large_values_come_back_equal_stored_or_not(room, monkeypatch):
    monkeypatch.setattr(arrays, "memory", SharedMemory(max_bytes=room))
    large = bytes(range(256)) * 1000
    value = ((large, bytearray(large), "x"), {"array": np.arange(50_000), "raw": large})
    dumped = dump_value(value)
    args, named = receive(dumped)

    assert args == value[0]
    assert [type(each) for each in args] == [bytes, bytearray, str]
    assert (named["array"] == value[1]["array"]).all()
    assert named["raw"] == large
    assert isinstance(dumped, Stored)
    assert len(dumped.segments) == (4 if room else 0)
    assert receive(dump_value(large)) == large


def test_a_large_value_is_sent_as_it_was_when_it_was_given():
    batch = np.zeros(1_000_000)
    waiting = dump_value(batch)
    batch += 1

    assert not receive(waiting).any()


def test_a_read_only_array_is_not_copied_and_stays_so():
    array = np.arange(10_000)
    array.flags.writeable = False
    _, body = dump_value(array)

    assert np.shares_memory(np.frombuffer(body, array.dtype), array)
    assert not back_and_forth(array).flags.writeable


@pytest.fixture
def authored(notebook):
    notebook.cell(SOURCE)
    return notebook


def test_classes_of_the_notebook_keep_their_identity_there(authored):
    main = authored.main
    values = [main.Point(1), main.Color.RED, main.Point, main.MyError]
    point, red, kind, error = back_and_forth(values)

    assert type(point) is main.Point
    assert red is main.Color.RED
    assert (kind, error) == (main.Point, main.MyError)


def test_a_replica_gives_back_the_notebooks_own_classes(authored, replica):
    """There and back through a process that knows the code, and no further."""
    shipment = authored.ship("Model", authored.main.Point(9))
    sent = [part.hex() for part in map(bytes, dump_value(authored.main.Point(5)))]
    answer = replica(
        shipment,
        f"""
import __main__
from workbench.code.values import dump_value, load_value
from workbench.errors import ShippingError
point = load_value([bytes.fromhex(each) for each in {sent!r}])
assert type(point) is type(args[0]) is __main__.Point
result = (*target()(7), point)
answer([bytes(part).hex() for part in dump_value(result)])
""",
    )
    length = authored.main.Point.length
    made, red, scale, point = receive([bytes.fromhex(each) for each in answer])

    assert type(made) is type(point) is authored.main.Point
    assert (made.x, made.y, point.x) == (7, 3, 5)
    assert red is authored.main.Color.RED
    assert scale(2) == 6
    assert authored.main.Point.length is length


def test_a_receiver_without_the_class_gets_it(authored, replica):
    authored.cell("def target(): pass")
    sent = dump_value([authored.main.Point(3), lambda: authored.main.FACTOR])
    answer = replica(
        authored.ship("target"),
        f"""
from workbench.code.values import load_value
point, _ = load_value({[bytes(part) for part in sent]!r})
again, _ = load_value({[bytes(part) for part in sent]!r})
answer([point.length(), type(point) is type(again), point == again])
""",
    )

    assert answer == [3, True, True]


def test_decoding_never_changes_a_class_that_is_there(authored):
    sent = [bytes(part) for part in dump_value(authored.main.Point(3))]
    authored.main.Point.calls = 5
    authored.main.Point.length = lambda self: "mine"
    received = receive(sent)

    assert received.length() == "mine"
    assert authored.main.Point.calls == 5


def test_a_class_that_was_run_again_takes_instances_of_the_old_one(authored):
    """Re-running the cell makes new classes; answers on their way are of theirs."""
    sent = [bytes(part) for part in dump_value(authored.main.Point(3))]
    authored.cell(SOURCE)

    assert type(receive(sent)) is authored.main.Point


def test_a_class_of_another_shape_is_not_taken_for_it(authored):
    """Two notebooks may both have a `Point`."""
    sent = [bytes(part) for part in dump_value(authored.main.Point(3, 4))]
    authored.restart()
    authored.cell("class Point:\n    __slots__ = ('z',)\n")
    received = receive(sent)

    assert type(received) is not authored.main.Point
    assert received.length() == 7


def test_classes_that_need_each_other_travel(authored, replica):
    authored.cell(
        """
class Left:
    def other(self): return Right()
class Right(Left):
    def other(self): return Left()
def target(): pass
"""
    )
    sent = [bytes(p) for p in dump_value([authored.main.Left(), authored.main.Right()])]
    answer = replica(
        authored.ship("target"),
        f"""
from workbench.code.values import load_value
left, right = load_value({sent!r})
answer([type(left.other()) is type(right), type(right.other()) is type(left)])
""",
    )

    assert answer == [True, True]


def test_local_functions_and_classes_travel():
    @dataclasses.dataclass
    class Local:
        n: int

    made, double = back_and_forth([Local(2), lambda x: x.n * 2])

    assert type(made) is Local
    assert double(made) == 4


def test_text_that_looks_like_a_reference_is_only_text():
    assert back_and_forth("__main__") == "__main__"


def test_what_cannot_travel_is_named():
    value = {"jobs": [1, types.SimpleNamespace(lock=threading.Lock())]}

    with pytest.raises(
        TypeError, match=r"`value\['jobs'\]\[1\].lock` \(_thread.lock\)"
    ):
        dump_value(value)


def test_an_object_of_ours_says_itself_why_it_stays():
    class Response:
        def __init__(self):
            self.lock = threading.Lock()

        def __reduce__(self):
            raise ShippingError("Pass it directly.")

    with pytest.raises(ShippingError, match="Pass it directly"):
        dump_value([Response()])


def test_an_object_that_refuses_is_the_culprit_whatever_it_holds():
    class Refuses:
        def __init__(self):
            self.lock = threading.Lock()

        def __getstate__(self):
            raise ValueError("not me")

    with pytest.raises(TypeError, match=r"`value\[0\]` \(.*Refuses\) .*: not me"):
        dump_value([Refuses()])


@pytest.mark.parametrize("name", ["Point", "Color"])
def test_cloudpickle_takes_classes_apart_as_we_expect(authored, name):
    """Guards what `classes` assumes of a private format."""
    pickler = cloudpickle.Pickler(io.BytesIO())
    reduced = pickler.reducer_override(vars(authored.main)[name])

    assert len(reduced) == 6
    assert re.fullmatch("[0-9a-f]{32}", reduced[1][-2])
    assert reduced[1][-1] is None
    assert reduced[5] is cloudpickle.cloudpickle._class_setstate
