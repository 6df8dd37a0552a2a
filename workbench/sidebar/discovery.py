"""Which instances there are: the files of this host, and what the user connected to."""

import asyncio
from pathlib import Path

from workbench.instance import list_instances
from workbench.settings import Settings
from workbench.sidebar.contact import Contact, name_of_url
from workbench.sidebar.remotes import RemoteStore

__all__ = ["Directory"]


class Directory:
    """Looks them up afresh each time; never on the event loop."""

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self._settings = settings
        self._remotes = RemoteStore(data_dir / "workbench" / "remotes.json")

    async def contacts(self) -> tuple[Contact, ...]:
        """All of them: first those of this host, newest first."""
        return await asyncio.to_thread(self._read)

    async def add_remote(self, contact: Contact) -> None:
        """Keep a remote one, also when the server restarts."""
        await asyncio.to_thread(self._remotes.add, contact)

    async def remove_remote(self, id_: str) -> bool:
        """Forget a remote one; False if it is not ours to forget."""
        return await asyncio.to_thread(self._remotes.remove, id_)

    def _read(self) -> tuple[Contact, ...]:
        found = [
            Contact.of(file) for file in list_instances(self._settings.runtime_dir)
        ]
        seen = {each.id for each in found}
        for each in (*self._named(), *self._remotes.read()):
            if each.id not in seen:
                seen.add(each.id)
                found.append(each)
        return tuple(found)

    def _named(self) -> tuple[Contact, ...]:
        """The one that `WORKBENCH_URL` names: kernels of this server use it."""
        url = self._settings.url
        if url is None:
            return ()
        url = url.rstrip("/")
        token = self._settings.token or ""
        return (Contact(id=name_of_url(url), url=url, token=token, is_remote=True),)
