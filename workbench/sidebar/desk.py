"""What the routes call: one desk per Jupyter server."""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import msgspec

from workbench.errors import InstanceError
from workbench.settings import Settings
from workbench.sidebar.contact import Contact, checked_token, checked_url, name_of_url
from workbench.sidebar.control import ControlClient
from workbench.sidebar.discovery import Directory
from workbench.sidebar.feed import Feed
from workbench.sidebar.messages import ConnectRequest, Instance
from workbench.sidebar.problems import diagnose, mismatch, refused, unconnected
from workbench.sidebar.refusal import RefusedError
from workbench.sidebar.starting import Starter
from workbench.spec.logs import LogQuery

__all__ = ["Desk"]

_PROBE_S = 3.0
_ENDED_S = 30.0
_LOOK_S = 0.1
_LONGEST_WAIT_S = 30.0
_LOG_FIELDS = frozenset(each.name for each in fields(LogQuery))


class Desk:
    """Finds instances and asks them; every method may raise `RefusedError`."""

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self._settings = settings
        self._directory = Directory(settings, data_dir)
        self._control = ControlClient()
        self.feed = Feed(self._directory, self._control)
        self._starter = Starter(self.feed.say_starting)

    async def instances(self) -> tuple[Instance, ...]:
        """All instances, each asked whether it is well."""
        if self.feed.is_live:
            return self.feed.instances()
        contacts = await self._directory.contacts()
        return tuple(await asyncio.gather(*map(self._probe, contacts)))

    async def connect(self, request: ConnectRequest) -> Instance:
        """Keep a remote instance, once it has answered."""
        url = checked_url(request.url)
        token = checked_token(request.token)
        contact = Contact(id=name_of_url(url), url=url, token=token, is_remote=True)
        try:
            about = await self._control.introduce(contact)
        except InstanceError as error:
            raise unconnected(contact, error) from None
        for known in await self._directory.contacts():
            if known.id == about.id and not known.is_remote:
                return known.show(about.version)
        contact = replace(contact, id=about.id)
        await self._directory.add_remote(contact)
        await self.feed.refresh()
        return contact.show(about.version, mismatch(about.version))

    async def start(self) -> Instance:
        """Start an instance that stays; one that runs already is good enough."""
        if self._settings.url is not None:
            msg = "WORKBENCH_URL names the instance that notebooks here use."
            remedy = "Unset it where Jupyter's server was started, and restart it."
            raise RefusedError(409, msg, remedy)
        contacts = await self._directory.contacts()
        running = next((c for c in contacts if c.is_kept and not c.is_remote), None)
        if running is not None:
            return await self._probe(running)
        started = await self._starter.start()
        await self.feed.refresh()
        for contact in await self._directory.contacts():
            if contact.url == started.url:
                return await self._probe(contact)
        msg = "The instance came up, and ended at once."
        raise RefusedError(500, msg, "Run `workbench up` in a terminal to see why.")

    async def remove(self, id_: str) -> str:
        """End an instance of this host, or forget a remote one; says which."""
        contact = await self._find(id_)
        if not contact.is_remote:
            await self._end(contact)
            return "stopped"
        if not await self._directory.remove_remote(id_):
            msg = "WORKBENCH_URL names this instance: it cannot be forgotten here."
            remedy = "Unset it where Jupyter's server was started, and restart it."
            raise RefusedError(409, msg, remedy)
        await self.feed.refresh()
        return "forgotten"

    async def scale(
        self, id_: str, app: str, deployment: str, num_replicas: int
    ) -> None:
        """Set how many replicas a deployment should have."""
        contact = await self._find(id_)
        try:
            await self._control.scale(contact, app, deployment, num_replicas)
        except InstanceError as error:
            raise refused(contact, error) from None

    async def delete(self, id_: str, app: str) -> None:
        """Delete an application and wait until it is gone."""
        contact = await self._find(id_)
        try:
            is_deleted = await self._control.delete(contact, app)
        except InstanceError as error:
            raise refused(contact, error) from None
        if not is_deleted:
            msg = f"There is no application {app!r}."
            raise RefusedError(404, msg, "It may have been deleted meanwhile.")

    async def logs(self, id_: str, asked: Mapping[str, str]) -> bytes:
        """A `LogPage` as JSON; waits up to `wait_s` for a record."""
        given = {key: text for key, text in asked.items() if key in _LOG_FIELDS}
        try:
            query = msgspec.convert(given, LogQuery, strict=False)
        except msgspec.ValidationError as error:
            msg = f"The question for logs cannot be read: {error}."
            raise RefusedError(400, msg, "Give numbers where numbers belong.") from None
        contact = await self._find(id_)
        try:
            wait_s = min(max(0.0, query.wait_s), _LONGEST_WAIT_S)
            return await self._control.logs(contact, given, wait_s)
        except InstanceError as error:
            raise refused(contact, error) from None

    async def close(self) -> None:
        """Let go of every instance; they run on."""
        await self.feed.close()
        await self._control.close()

    async def _probe(self, contact: Contact) -> Instance:
        try:
            async with asyncio.timeout(_PROBE_S):
                about = await self._control.introduce(contact)
        except InstanceError as error:
            return contact.show("", diagnose(contact, error))
        except TimeoutError:
            silent = InstanceError(f"{contact.url} does not answer (silence).")
            return contact.show("", diagnose(contact, silent))
        return contact.show(about.version, mismatch(about.version))

    async def _find(self, id_: str) -> Contact:
        for contact in await self._directory.contacts():
            if contact.id == id_:
                return contact
        msg = f"There is no instance {id_!r}."
        raise RefusedError(404, msg, "It has ended: the list shows what runs now.")

    async def _end(self, contact: Contact) -> None:
        self.feed.expect_end(contact.id)
        try:
            await self._control.shutdown(contact)
        except InstanceError:
            # Its controller is away: the launcher ends everything just as well.
            await asyncio.to_thread(_end_launcher, contact.launcher_pid)
        try:
            async with asyncio.timeout(_ENDED_S):
                # Another process removes the file: there is no event to wait for.
                while contact in await self._directory.contacts():  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            self.feed.expect_end(contact.id, is_ending=False)
            msg = f"The instance has not ended after {_ENDED_S:g} s."
            remedy = "Try again, or run `workbench down` in a terminal."
            raise RefusedError(504, msg, remedy) from None
        await self.feed.refresh()


def _end_launcher(pid: int) -> None:
    """Ask the launcher to end, if the process of that id still is one."""
    with suppress(OSError):
        if b"workbench.launcher" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
