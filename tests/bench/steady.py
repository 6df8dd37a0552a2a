"""Constant load of every kind on one application: what was asked, and what was lost.

A process of its own, started by `zero_loss` and its short form among the tests: calls
until its input closes, then says what it saw; so far, at every line. Each answer names
the version that gave it; whoever begins on one must end on it. `lively` is the server.
"""

import asyncio
import json
import sys
import time

import aiohttp

# How many callers of each kind; each waits a little between two calls.
CALLERS = {"unary": 4, "stream": 2, "socket": 2}
PAUSE_S = 0.004
MESSAGES = 4
# Longer than any drain: what takes longer is lost.
_PATIENCE_S = 30.0
_EXAMPLES = 8


class Caller:
    """One client that calls again and again, and what became of its calls."""

    def __init__(self, kind, url):
        self.kind = kind
        self.url = url
        self.sent = 0
        self.lost = 0
        self.examples = []
        self.outages = []
        """From the beginning of a first lost call to the end of the next good one."""
        self.down_since = None
        """When the first call was begun that was lost, if none was answered since."""

    async def run(self, done):
        """Call until told to stop."""
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while not done.is_set():
                began = time.monotonic()
                self.sent += 1
                try:
                    # POST: this client would repeat a GET whose connection was reset.
                    await getattr(self, f"_{self.kind}")(session)
                except (aiohttp.ClientError, OSError, TimeoutError, LostError) as error:
                    self._lose(began, error)
                else:
                    self._win()
                await asyncio.sleep(PAUSE_S)

    async def _unary(self, session):
        async with session.post(f"{self.url}/") as answer:
            check(answer.status == 200, await answer.text())

    async def _stream(self, session):
        async with session.post(f"{self.url}/stream") as answer:
            check(answer.status == 200, f"status {answer.status}")
            lines = (await answer.read()).split()
        *versions, count = lines or [b""]
        check(count == str(len(versions)).encode(), f"a stream ended early: {lines}")
        check(len(set(versions)) == 1, f"a stream changed its code: {lines}")

    async def _socket(self, session):
        async with session.ws_connect(f"{self.url}/socket") as socket:
            versions = set()
            for _ in range(MESSAGES):
                await socket.send_str("?")
                answer = await socket.receive(_PATIENCE_S)
                check(answer.type is aiohttp.WSMsgType.TEXT, f"a socket said {answer}")
                versions.add(answer.data)
            check(len(versions) == 1, f"a socket changed its code: {versions}")

    def _lose(self, began, error):
        self.lost += 1
        if self.down_since is None:
            self.down_since = began
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{self.kind} at {began:.3f}: {error!r}")

    def _win(self):
        if self.down_since is not None:
            self.outages.append((self.down_since, time.monotonic()))
            self.down_since = None


class LostError(Exception):
    """An answer came that is not what it should be."""


def check(is_good, why):
    """Take for lost what is not good."""
    if not is_good:
        raise LostError(why[:200])


async def call(url):
    """Call with everybody until the input closes; what was seen."""
    callers = [
        Caller(kind, url) for kind, count in CALLERS.items() for _ in range(count)
    ]
    done = asyncio.Event()
    running = [asyncio.create_task(each.run(done)) for each in callers]
    print("READY", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(f"SAW {json.dumps(summary(callers))}", flush=True)
    done.set()
    await asyncio.gather(*running)
    return summary(callers)


def summary(callers):
    """What all callers of each kind saw together."""
    return {
        "kinds": {
            kind: {
                "sent": sum(each.sent for each in callers if each.kind == kind),
                "lost": sum(each.lost for each in callers if each.kind == kind),
            }
            for kind in CALLERS
        },
        "sent": sum(each.sent for each in callers),
        "lost": sum(each.lost for each in callers),
        "examples": [text for each in callers for text in each.examples][:_EXAMPLES],
        "outages": [span for each in callers for span in each.outages],
        "down": sum(each.down_since is not None for each in callers),
    }


def main():
    """Say what was seen in one line."""
    print(f"SEEN {json.dumps(asyncio.run(call(sys.argv[1])))}", flush=True)


if __name__ == "__main__":
    main()
