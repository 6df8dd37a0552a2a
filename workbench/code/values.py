"""Call arguments and results as bytes and back, on both ends of a call.

Plain pickle where it can (2 µs for a small dict and back); what plain pickle cannot
name for the other process (classes of a notebook, lambdas) goes by value. Large buffers
(numpy arrays, bytes-likes) stay out of band and are not copied into the pickle.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
from cloudpickle import cloudpickle as _cloudpickle

from workbench.wire.messages import Buffers

__all__ = ["dump_value", "load_value"]

# A notebook's classes live in __main__, which is another module in every process.
_MAIN = b"__main__"
_BY_VALUE = b"cloudpickle"


def dump_value(value: object) -> list[bytes | memoryview]:
    """The pickle of `value`, then its out-of-band buffers.

    Raises:
        Exception: the value cannot be pickled, by reference or by value.
    """
    parts: list[pickle.PickleBuffer] = []
    try:
        data = pickle.dumps(value, protocol=5, buffer_callback=parts.append)
    except Exception:  # noqa: BLE001 - whatever it is, by value may succeed
        data = b""
    if not data or _MAIN in data:
        parts.clear()
        data = cloudpickle.dumps(value, protocol=5, buffer_callback=parts.append)
    return [data, *(part.raw() for part in parts)]


def load_value(buffers: Buffers) -> object:
    """What `dump_value` dumped. Only for peers that proved to know the secret."""
    data, *parts = buffers
    if isinstance(data, memoryview):
        data = bytes(data)
    if _BY_VALUE in data:
        return _Unpickler(io.BytesIO(data), buffers=parts).load()
    return pickle.loads(data, buffers=parts)  # noqa: S301 - see above


class _Unpickler(pickle.Unpickler):
    """Leaves classes alone that this process has already.

    cloudpickle finds such a class by an id that travels with it, so `except MyError`
    and isinstance work on both ends; but it would also give it the sender's methods,
    changing living instances here. Only a class that is new gets filled.
    """

    def __init__(self, file: io.BytesIO, *, buffers: Buffers) -> None:
        super().__init__(file, buffers=buffers)
        self._new_classes: set[type] = set()
        self._replaced: dict[str, Callable[..., Any]] = {
            "_make_skeleton_class": self._make_class,
            "_class_setstate": self._fill_class,
        }

    def find_class(self, module: str, name: str) -> Any:
        """Look a global up, as pickle does for every one it meets."""
        if name in self._replaced and module == _cloudpickle.__name__:
            return self._replaced[name]
        return super().find_class(module, name)

    def _make_class(self, *args: Any) -> type:
        *_, class_id, _extra = args
        is_known = class_id in _cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID  # noqa: SLF001 - no public name
        made: type = _cloudpickle._make_skeleton_class(*args)  # noqa: SLF001 - as above
        if not is_known:
            self._new_classes.add(made)
        return made

    def _fill_class(self, cls: type, state: Any) -> type:
        if cls in self._new_classes:
            _cloudpickle._class_setstate(cls, state)  # noqa: SLF001 - as above
        return cls
