"""The one stream of events that the server keeps open to an instance."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing, suppress

import msgspec

from workbench.errors import InstanceError
from workbench.sidebar.contact import Contact
from workbench.sidebar.control import ControlClient, ForeignError
from workbench.sidebar.memory import Memory, relayed
from workbench.sidebar.messages import Instance, Problem
from workbench.sidebar.page import Message
from workbench.sidebar.problems import diagnose, mismatch, outage
from workbench.spec.events import Event

__all__ = ["Watch"]

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_LONGEST_REMOTE_PAUSE_S = 5.0
# Silence that ends sooner is not worth a word: an instance that was told to end leaves
# the list in this time, a controller that was restarted answers again.
_GRACE_S = 2.0

_log = logging.getLogger(__name__)
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class Watch:
    """Follows one instance from `start` to `stop`, through all its absences."""

    def __init__(
        self,
        contact: Contact,
        control: ControlClient,
        *,
        on_message: Callable[[Message], None],
        on_change: Callable[[], None],
    ) -> None:
        self.contact = contact
        self._control = control
        self._on_message = on_message
        self._on_change = on_change
        self._memory = Memory(contact.id)
        self._version = ""
        self._problem: Problem | None = None
        self._told: tuple[str, Problem | None] = ("", None)
        self._pause_s = _FIRST_PAUSE_S
        self._heard_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self.is_ending = False
        """It was told to end: that it goes silent is no problem."""

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow(), name="workbench-watch")

    def look(self, contact: Contact) -> None:
        """Its file was read again: an outage that it names is said at once."""
        self.contact = contact
        if (found := outage(contact)) is not None:
            self._say(found)

    async def stop(self) -> None:
        """Close the stream and forget."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def show(self) -> Instance:
        """The instance as it is known now."""
        return self.contact.show(self._version, self._problem)

    def recall(self) -> list[Message]:
        """What a page that comes now is told."""
        return self._memory.recall()

    async def _follow(self) -> None:
        is_remote = self.contact.is_remote
        longest_s = _LONGEST_REMOTE_PAUSE_S if is_remote else _LONGEST_PAUSE_S
        while True:
            try:
                await self._listen()
            except InstanceError as error:
                self._break(error)
            except Exception as error:  # noqa: BLE001 - the page is told, the log too
                _log.exception("Following %s failed", self.contact.url)
                name = type(error).__name__
                self._break(InstanceError(f"{self.contact.url} fails with {name}."))
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, longest_s)

    async def _listen(self) -> None:
        """Take events until the stream breaks, which it does in the end."""
        about = await self._control.introduce(self.contact)
        self._version = about.version
        async with (
            self._control.events(self.contact) as stream,
            aclosing(stream) as lines,
        ):
            async for line in lines:
                self._take(line)
        msg = f"{self.contact.url} does not answer (the stream ended)."
        raise InstanceError(msg)

    def _take(self, line: bytes) -> None:
        try:
            event = _decoder.decode(line)
        except msgspec.DecodeError as error:
            msg = f"{self.contact.url} sends what cannot be read: {error}."
            raise ForeignError(msg) from error
        self._heard_at = asyncio.get_running_loop().time()
        self._pause_s = _FIRST_PAUSE_S
        self._say(mismatch(self._version))
        message = relayed(self.contact.id, event, line)
        self._memory.take(event, message)
        self._on_message(message)

    def _break(self, error: InstanceError) -> None:
        is_silent = type(error) is InstanceError
        if not (is_silent and (self._was_heard_just_now() or self.is_ending)):
            self._say(diagnose(self.contact, error, self._version))

    def _was_heard_just_now(self) -> bool:
        if self._heard_at is None:
            return False
        return asyncio.get_running_loop().time() - self._heard_at < _GRACE_S

    def _say(self, problem: Problem | None) -> None:
        self._problem = problem
        if self._told != (self._version, problem):
            self._told = (self._version, problem)
            self._on_change()
