"""Remote instances that the user connected to: one file that outlives the server."""

import json
from pathlib import Path

from workbench.sidebar.contact import Contact

__all__ = ["RemoteStore"]


class RemoteStore:
    """A JSON file, mode 0600; several servers of one user may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Contact]:
        """All of them, in the order in which they were added."""
        try:
            entries = json.loads(self._path.read_text())
            return [
                Contact(
                    id=str(each["id"]),
                    url=str(each["url"]),
                    token=str(each["token"]),
                    is_remote=True,
                )
                for each in entries
            ]
        except (OSError, ValueError, TypeError, KeyError):
            # Not there yet, or not ours: what cannot be read is begun anew.
            return []

    def add(self, contact: Contact) -> None:
        """Keep one; another with its id or its address gives way."""
        others = [
            each
            for each in self.read()
            if each.id != contact.id and each.url != contact.url
        ]
        self._write([*others, contact])

    def remove(self, id_: str) -> bool:
        """Forget one; False if there is none of that id."""
        before = self.read()
        after = [each for each in before if each.id != id_]
        if len(after) != len(before):
            self._write(after)
        return len(after) != len(before)

    def _write(self, contacts: list[Contact]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self._path.with_suffix(".part")
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        entries = [
            {"id": each.id, "url": each.url, "token": each.token} for each in contacts
        ]
        part.write_text(json.dumps(entries))
        part.replace(self._path)
