"""What an instance saved as files: the copy of its checkpoint that outlives Ray.

A directory (mode 0700) with a file (0600) for each key of the controller's store, each
replaced as a whole or not at all. A file that is damaged or foreign is refused and
left as it is. Written by `mirror`; read by it, and by whoever starts an instance.
"""

import contextlib
import hashlib
import json
import os
import platform
from pathlib import Path
from urllib.parse import quote, unquote

from workbench import __version__
from workbench.errors import SavedStateError

__all__ = ["SavedFiles"]

_FORMAT = 1
_MARK = "workbench-saved"
_LONGEST_HEAD = 1000


class SavedFiles:
    """Keys and values in one directory, which is made with the first value."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def put(self, key: str, value: bytes) -> None:
        """Store a value; a crash at any moment leaves the old one or the new one.

        Raises:
            OSError: the disk does not take it.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = self._path(key)
        part = target.with_name(target.name + ".part")
        part.unlink(missing_ok=True)
        fd = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(fd, "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(_head(value) + value)
            file.flush()
            os.fsync(fd)
        part.replace(target)
        self._sync()

    def get(self, key: str) -> bytes | None:
        """A stored value.

        Raises:
            SavedStateError: there is one, and it cannot be used.
        """
        path = self._path(key)
        try:
            return _checked(path, path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            msg = f"{path} cannot be read: {error.strerror}."
            raise SavedStateError(msg) from None

    def forget(self, key: str) -> None:
        """Delete a value; it may be gone already."""
        self._path(key).unlink(missing_ok=True)

    def keys(self) -> list[str]:
        """What is stored."""
        with contextlib.suppress(FileNotFoundError):
            return [
                unquote(each.name)
                for each in sorted(self.directory.iterdir())
                if each.suffix != ".part"
            ]
        return []

    def _path(self, key: str) -> Path:
        return self.directory / quote(key, safe="")

    def _sync(self) -> None:
        """Make the new name last, too."""
        fd = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _head(value: bytes) -> bytes:
    """One line that says what follows; readable with `head -1`."""
    head = {
        _MARK: _FORMAT,
        "workbench": __version__,
        "python": _python(),
        "bytes": len(value),
        "sha256": hashlib.sha256(value).hexdigest(),
    }
    return json.dumps(head).encode() + b"\n"


def _checked(path: Path, content: bytes) -> bytes:
    """The value in a file that is whole, and of our kind."""
    first, _, value = content.partition(b"\n")
    head = _read_head(first)
    if _MARK not in head:
        msg = f"{path} is damaged, or nothing that Workbench has saved."
        raise SavedStateError(msg)
    if head[_MARK] != _FORMAT:
        msg = (
            f"{path} has format {head[_MARK]!r}, written by Workbench "
            f"{head.get('workbench')}; this is {__version__}, which reads {_FORMAT}."
        )
        raise SavedStateError(msg, "Restore it with the Workbench that wrote it.")
    if len(value) != head.get("bytes"):
        msg = f"{path} is cut off: {len(value)} of {head.get('bytes')} bytes are there."
        raise SavedStateError(msg)
    if hashlib.sha256(value).hexdigest() != head.get("sha256"):
        msg = f"{path} is damaged: its content does not match its checksum."
        raise SavedStateError(msg)
    if head.get("python") != _python():
        msg = (
            f"{path} was saved by Python {head.get('python')}, this is "
            f"{_python()}: code cannot travel between them."
        )
        raise SavedStateError(msg, f"Restore it with Python {head.get('python')}.")
    return value


def _read_head(line: bytes) -> dict[str, object]:
    if len(line) > _LONGEST_HEAD:
        return {}
    try:
        head = json.loads(line)
    except ValueError:
        return {}
    return head if isinstance(head, dict) else {}


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])
