"""A slow end holds back the other; streams end whole."""

# ruff: noqa: N802 - methods are named as the RPCs that they answer

import asyncio

import pytest

from tests.unit.replica.grpc.site import Answer, Endless, Words, grpc
from workbench.wire.grpc import MESSAGE_BYTES

pytestmark = pytest.mark.anyio


class TestFlow:
    async def test_a_client_that_does_not_read_holds_back_the_generator(self, site):
        class Eager:
            made = 0

            async def Count(self, words):
                for _ in range(words.number):
                    Eager.made += 1
                    yield Answer(data=bytes(64 * 1024))

        async with site(Eager) as here:
            call = here.talk.Count(Words(number=1000))
            await call.read()
            before = -1
            while before != Eager.made:
                before = Eager.made
                await asyncio.sleep(0.2)
            held_at = Eager.made
            items = 1
            while await call.read() is not grpc.aio.EOF:
                items += 1

        assert held_at < 500
        assert items == 1000

    async def test_a_method_that_does_not_read_holds_back_its_client(self, site):
        release = asyncio.Event()
        loop = asyncio.get_running_loop()

        class Slow:
            async def Sum(self, stream):
                await asyncio.wrap_future(
                    asyncio.run_coroutine_threadsafe(release.wait(), loop)
                )
                return Answer(number=sum([len(each.data) async for each in stream]))

        async with site(Slow) as here:
            call = here.talk.Sum()
            written = 0

            async def write():
                nonlocal written
                for _ in range(1000):
                    await call.write(Words(data=bytes(64 * 1024)))
                    written += 1
                await call.done_writing()

            writing = asyncio.ensure_future(write())
            before = -1
            while before != written:
                before = written
                await asyncio.sleep(0.2)
            held_at = written
            release.set()
            await writing
            answer = await call

        assert held_at < 500
        assert answer.number == 1000 * 64 * 1024

    async def test_a_stream_takes_a_slot_until_it_ends(self, site):
        async with site(Endless, max_ongoing_requests=1) as here:
            call = here.talk.Count(Words())
            await call.read()
            assert here.ongoing == 1
            waiting = asyncio.ensure_future(here.talk.Say(Words()))
            await here.until(here.bench.router.queued)
            call.cancel()
            await here.until(lambda: not here.bench.router.queued())
            waiting.cancel()

    async def test_empty_messages_count_too(self, site):
        class Slow:
            async def Sum(self, stream):
                return Answer(number=len([each async for each in stream]))

        count = 256 * 1024 // MESSAGE_BYTES * 3
        async with site(Slow) as here:
            answer = await here.talk.Sum(Words() for _ in range(count))

        assert answer.number == count

    async def test_a_stream_that_is_cancelled_in_code_takes_no_more(self, site):
        class Full:
            async def Sum(self, stream):
                first = await anext(stream)
                stream.cancel()
                rest = [each async for each in stream]
                return Answer(
                    number=first.number,
                    text=f"{stream.is_cancelled()} {stream.is_exhausted} {len(rest)}",
                )

        async with site(Full) as here:
            call = here.talk.Sum()
            await call.write(Words(number=1))
            answer = await call

        assert answer.text == "True True 0"
