"""The format in which code and bind arguments travel.

Written by `ship`, read by `load`; nothing else looks inside.
"""

import platform

import msgspec

from workbench.errors import ShippingError

__all__ = ["Blob", "LocalModule", "pack", "unpack"]


class LocalModule(msgspec.Struct, frozen=True, array_like=True):
    """One of the user's own files, importable in the replica without the file."""

    name: str
    filename: str
    """Where it lies for its author; empty for a directory without `__init__.py`."""
    source: str
    search: tuple[str, ...] | None
    """`__path__` of a package; None for a plain module."""
    imports: tuple[str, ...]
    """Local modules that it imports itself."""


class Blob(msgspec.Struct, frozen=True, array_like=True):
    """A pickled object and what it needs around it."""

    python: str
    pickles: bytes
    """One pickle of the object, then dictionaries of names for `__main__`, all with
    one memo."""
    sources: dict[str, str]
    """Text by file name, for tracebacks and `inspect.getsource`."""
    modules: tuple[LocalModule, ...]
    main_file: str
    """`__file__` of the author's `__main__`; empty in a notebook."""
    main_package: str
    """`__package__` of the author's `__main__`, for relative imports."""


_PYTHON = ".".join(platform.python_version_tuple()[:2])
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Blob)


def pack(
    pickles: bytes,
    *,
    sources: dict[str, str],
    modules: tuple[LocalModule, ...],
    main: object,
) -> bytes:
    """Write a blob; `main` is the module whose names were pickled by value."""
    file = getattr(main, "__file__", None) or ""
    if not file.endswith(".py"):  # some front ends name the notebook
        file = ""
    package = getattr(main, "__package__", None) or ""
    return _encoder.encode(Blob(_PYTHON, pickles, sources, modules, file, package))


def unpack(data: bytes) -> Blob:
    """Read a blob.

    Raises:
        ShippingError: another Python wrote it; byte code does not cross versions.
    """
    blob = _decoder.decode(data)
    if blob.python != _PYTHON:
        msg = f"This code was sent by Python {blob.python}; the replica is {_PYTHON}."
        hint = "Use the same Python (to the minor version) in notebook and cluster."
        raise ShippingError(msg, hint)
    return blob
