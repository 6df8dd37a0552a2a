"""Arguments of calls and what they return, as bytes.

Called by handles and replicas, for every call. Plain data takes the fast path: a float
or a short dict costs about 1 µs each way. What refers to the author's `__main__` is
sent by value, because the receiver may not have it.
"""

import functools
import io
import pickle
import weakref
from collections.abc import Sequence

from workbench.code.classes import adopt, mark_of
from workbench.code.culprit import find_culprit
from workbench.code.pickling import CodePickler, Reduced
from workbench.errors import WorkbenchError

__all__ = ["dump_value", "load_value"]

# A separate buffer costs more than copying it, below about this size.
_SMALL_BYTES = 2048


def dump_value(value: object) -> list[bytes | memoryview]:
    """The pickle of a value, then its large buffers (arrays), which are not copied.

    Raises:
        TypeError: something in it cannot travel; says what and where.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        data = pickle.dumps(
            value, protocol=5, buffer_callback=functools.partial(_keep_inside, buffers)
        )
    except Exception:  # noqa: BLE001 - plain pickle refuses in many ways
        data, buffers = _dump_code(value)
    else:
        if b"__main__" in data:
            data, buffers = _dump_code(value)
    if not buffers:
        return [data]
    return [data, *(buffer.raw() for buffer in buffers)]


def load_value(buffers: Sequence[bytes | memoryview]) -> object:
    """The value that `dump_value` was given."""
    if len(buffers) == 1:
        return pickle.loads(buffers[0])  # noqa: S301
    return pickle.loads(buffers[0], buffers=map(_writable, buffers[1:]))  # noqa: S301


def _keep_inside(
    buffers: list[pickle.PickleBuffer], buffer: pickle.PickleBuffer
) -> bool:
    with buffer.raw() as view:
        if view.nbytes < _SMALL_BYTES:
            return True
    buffers.append(buffer)
    return False


def _writable(buffer: bytes | memoryview) -> bytearray | memoryview:
    # An array that could be changed where it was made can be changed here.
    if isinstance(buffer, memoryview) and not buffer.readonly:
        return buffer
    return bytearray(buffer)


def _dump_code(value: object) -> tuple[bytes, list[pickle.PickleBuffer]]:
    buffers: list[pickle.PickleBuffer] = []
    file = io.BytesIO()
    keep = functools.partial(_keep_inside, buffers)
    try:
        _ValuePickler(file, protocol=5, buffer_callback=keep).dump(value)
    except WorkbenchError:
        raise  # says it better: an object of ours that must not travel
    except Exception as error:  # noqa: BLE001 - as above; now it is known to be hopeless
        culprit = find_culprit(value, "value", _dump_once)
        msg = f"{culprit.text if culprit else 'The value'} cannot be sent: {error}"
        raise TypeError(msg) from None
    return file.getvalue(), buffers


def _dump_once(value: object) -> None:
    _ValuePickler(io.BytesIO(), protocol=5).dump(value)


class _ValuePickler(CodePickler):
    """Sends each class as bytes apart, which a receiver that has it never reads."""

    def reduce_class(self, cls: type) -> Reduced:
        reduced = _apart.get(cls)
        if reduced is None:
            file = io.BytesIO()
            CodePickler(file, protocol=5).dump(cls)
            reduced = _apart[cls] = adopt, (mark_of(cls), file.getvalue())
        return reduced


_apart: "weakref.WeakKeyDictionary[type, Reduced]" = weakref.WeakKeyDictionary()
