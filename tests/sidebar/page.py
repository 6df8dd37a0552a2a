"""The page's end of the feed."""

import asyncio

import msgspec

from workbench.sidebar.messages import FeedMessage, InstanceEvent, InstancesMessage

_PATIENCE_S = 60


class Page:
    """Reads what the server says, one message after the other."""

    def __init__(self, socket):
        self._socket = socket
        self.read = []
        """All messages so far."""
        self.patience_s = _PATIENCE_S

    async def next(self):
        """The next message, decoded."""
        async with asyncio.timeout(self.patience_s):
            text = await self._socket.read_message()
        assert text is not None, "the server closed the feed"
        message = msgspec.json.decode(text, type=FeedMessage)
        self.read.append(message)
        return message

    async def until(self, claim):
        """Read on until a message fits, and return it."""
        while not claim(message := await self.next()):
            pass
        return message

    async def event(self, kind):
        """The next event of a kind."""
        message = await self.until(
            lambda each: (
                isinstance(each, InstanceEvent) and isinstance(each.event, kind)
            )
        )
        return message.event

    async def listing(self, claim=lambda _: True):
        """The next list of instances of which the claim holds."""
        message = await self.until(
            lambda each: isinstance(each, InstancesMessage) and claim(each.instances)
        )
        return message.instances

    async def problem(self, kind):
        """Read on until the only instance has a problem of this kind."""
        (instance,) = await self.listing(
            lambda found: (
                len(found) == 1
                and found[0].problem is not None
                and found[0].problem.kind == kind
            )
        )
        return instance.problem

    def close(self):
        """As when the browser's tab is closed."""
        self._socket.close()
