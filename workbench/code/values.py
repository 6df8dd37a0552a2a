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

__all__ = ["dump_value", "dump_with_code", "load_value"]

# A separate buffer costs more than copying it, below about this size.
_SMALL_BYTES = 2048


def dump_value(value: object) -> list[bytes | memoryview]:
    """The pickle of a value as it is now, then its large buffers (arrays).

    Raises:
        TypeError: something in it cannot travel; says what and where.
    """
    buffers: list[bytes | memoryview] = []
    try:
        data = pickle.dumps(
            value, protocol=5, buffer_callback=functools.partial(_keep_inside, buffers)
        )
    except Exception:  # noqa: BLE001 - plain pickle refuses in many ways
        return dump_with_code(value)
    if b"__main__" in data:
        return dump_with_code(value)
    return [data, *buffers]


def dump_with_code(value: object) -> list[bytes | memoryview]:
    """`dump_value` without its fast path: whatever code the value needs goes along.

    Raises:
        TypeError: something in it cannot travel; says what and where.
        WorkbenchError: something of ours refuses to travel like that.
    """
    try:
        return _dump(value)
    except WorkbenchError:  # a handle, say, that knows better why not
        raise
    except Exception as error:  # noqa: BLE001 - any __reduce__ fails in its own way
        culprit = find_culprit(value, "value", _dump)
        msg = f"{culprit.text if culprit else 'The value'} cannot be sent: {error}"
        raise TypeError(msg) from None


def load_value(buffers: Sequence[bytes | memoryview]) -> object:
    """The value that `dump_value` was given."""
    if len(buffers) == 1:
        return pickle.loads(buffers[0])  # noqa: S301
    return pickle.loads(buffers[0], buffers=map(_writable, buffers[1:]))  # noqa: S301


def _keep_inside(
    buffers: list[bytes | memoryview], buffer: pickle.PickleBuffer
) -> bool:
    view = buffer.raw()
    if view.nbytes < _SMALL_BYTES:
        return True
    # A call may wait in a queue while its caller fills the same array anew, so what can
    # be changed is copied (60 µs per MB) before the caller goes on.
    buffers.append(view if view.readonly else bytes(view))
    return False


def _writable(buffer: bytes | memoryview) -> bytearray | memoryview:
    # An array that could be changed where it was made can be changed here.
    if isinstance(buffer, memoryview) and not buffer.readonly:
        return buffer
    return bytearray(buffer)


def _dump(value: object) -> list[bytes | memoryview]:
    buffers: list[bytes | memoryview] = []
    file = io.BytesIO()
    keep = functools.partial(_keep_inside, buffers)
    _ValuePickler(file, protocol=5, buffer_callback=keep).dump(value)
    return [file.getvalue(), *buffers]


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
