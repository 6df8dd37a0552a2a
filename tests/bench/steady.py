"""Constant load of every kind on one application: what was asked, and what was lost.

A process of its own, started by `zero_loss`, `chaos` and their short forms among the
tests: calls until its input closes, then says what it saw; at every line, what it saw
since the one before. Each answer names the version that gave it; whoever begins on one
must end on it. `lively` is the server.
"""

import asyncio
import json
import sys
import time

import aiohttp

# How many callers of each kind; each waits a little between two calls.
CALLERS = {"unary": 4, "stream": 2, "socket": 2, "large": 1}
KINDS = ("unary", "stream", "socket")
PAUSE_S = 0.004
# So long a client waits that was refused, before it tries again.
REFUSED_S = 0.1
MESSAGES = 4
# Longer than any drain: what takes longer is lost.
_PATIENCE_S = 30.0
_EXAMPLES = 8


class Caller:
    """One client that calls again and again, and what became of its calls."""

    def __init__(self, kind, url):
        self.kind = kind
        self.url = url
        self.answered_s = time.monotonic()
        """When it got its last good answer."""
        self.sent = 0
        self.losses = []
        self.longest_s = 0.0
        """The longest time from one good answer to the next."""

    async def run(self, done):
        """Call until told to stop."""
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while not done.is_set():
                began_s = time.monotonic()
                self.sent += 1
                try:
                    # POST: this client would repeat a GET whose connection was reset.
                    await getattr(self, f"_{self.kind}")(session)
                except (aiohttp.ClientError, OSError, TimeoutError, LostError) as error:
                    await self._lose(began_s, error)
                else:
                    self._win()
                await asyncio.sleep(PAUSE_S)

    async def _unary(self, session, path="/"):
        async with session.post(f"{self.url}{path}") as answer:
            text = await answer.text()
            check(answer.status == 200, f"status {answer.status}: {text}")

    async def _large(self, session):
        await self._unary(session, "/large")

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

    async def _lose(self, began_s, error):
        is_refused = isinstance(error, aiohttp.ClientConnectorError)
        text = f"{self.kind} at {began_s:.3f}: {error!r}"
        self.losses.append(
            {"began_s": began_s, "is_refused": is_refused, "error": text}
        )
        if is_refused:
            await asyncio.sleep(REFUSED_S)

    def _win(self):
        now_s = time.monotonic()
        self.longest_s = max(self.longest_s, now_s - self.answered_s)
        self.answered_s = now_s


class LostError(Exception):
    """An answer came that is not what it should be."""


def check(is_good, why):
    """Take for lost what is not good."""
    if not is_good:
        raise LostError(why[:200])


async def call(url, kinds):
    """Call with everybody until the input closes; what was seen."""
    callers = [Caller(kind, url) for kind in kinds for _ in range(CALLERS[kind])]
    done = asyncio.Event()
    running = [asyncio.create_task(each.run(done)) for each in callers]
    print("READY", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(f"SAW {json.dumps(take(callers, kinds))}", flush=True)
    done.set()
    await asyncio.gather(*running)
    return take(callers, kinds)


def take(callers, kinds):
    """What all callers saw since this was asked last."""
    losses = [each for caller in callers for each in caller.losses]
    seen = {
        "kinds": {
            kind: {
                "sent": sum(each.sent for each in callers if each.kind == kind),
                "lost": sum(len(each.losses) for each in callers if each.kind == kind),
            }
            for kind in kinds
        },
        "sent": sum(each.sent for each in callers),
        "lost": len(losses),
        "losses": losses,
        "examples": [each["error"] for each in losses[:_EXAMPLES]],
        "longest_s": max(each.longest_s for each in callers),
        "answered_s": min(each.answered_s for each in callers),
    }
    for each in callers:
        each.sent, each.losses, each.longest_s = 0, [], 0.0
    return seen


def main():
    """Say what was seen in one line."""
    url, *kinds = sys.argv[1:]
    seen = asyncio.run(call(url, kinds or KINDS))
    print(f"SEEN {json.dumps(seen)}", flush=True)


if __name__ == "__main__":
    main()
