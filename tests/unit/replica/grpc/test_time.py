"""Deadlines, and clients that leave."""

# ruff: noqa: N802 - methods are named as the RPCs that they answer

import asyncio

import pytest

from tests.unit.replica.grpc.site import Answer, Code, Endless, Words, error_of
from workbench.request import current_request
from workbench.spec.grpc import GRPCOptions

pytestmark = pytest.mark.anyio


class TestTime:
    async def test_a_clients_deadline_cancels_what_runs(self, site):
        async with site(Endless) as here:
            error = await error_of(here.talk.Say(Words(), timeout=0.1))
            await here.until(lambda: here.ongoing == 0)
            assert here.user.is_cancelled

        assert error.code() is Code.DEADLINE_EXCEEDED

    async def test_the_deadline_goes_along_to_the_method(self, site):
        class Clock:
            async def Say(self, words):
                return Answer(number=int(current_request.get().time_left_s() or 0))

        async with site(Clock) as here:
            answer = await here.talk.Say(Words(), timeout=1000)

        assert 900 < answer.number < 1100  # gRPC rounds it up

    async def test_the_servers_own_limit_is_a_deadline_too(self, site):
        options = GRPCOptions(request_timeout_s=0.1)
        async with site(Endless, options=options) as here:
            error = await error_of(here.talk.Say(Words()))
            await here.until(lambda: here.ongoing == 0)
            assert here.user.is_cancelled

        assert error.code() is Code.DEADLINE_EXCEEDED
        assert error.details() == "Request id-1 timed out after 0.1s."

    async def test_a_deployments_time_is_a_deadline_too(self, site):
        async with site(Endless) as here:
            here.route(request_timeout_s=0.1)
            error = await error_of(here.talk.Say(Words()))

        assert error.code() is Code.DEADLINE_EXCEEDED

    @pytest.mark.parametrize("rpc", ["Say", "Count", "Sum", "Chat"])
    async def test_a_client_that_leaves_cancels_what_runs(self, site, rpc):
        class All(Endless):
            async def Chat(self, stream):
                async for _ in stream:
                    yield Answer()
                await self._wait()

        async with site(All) as here:
            given = Words() if rpc in {"Say", "Count"} else iter([Words()])
            call = getattr(here.talk, rpc)(given)
            await here.until(lambda: here.ongoing == 1)
            call.cancel()
            await here.until(lambda: here.ongoing == 0)

        assert here.bench.router.queued() == {}

    async def test_racing_cancels_leave_nothing_behind(self, site):
        class Brief:
            async def Say(self, words):
                await asyncio.sleep(words.number / 10_000)
                return Answer()

            async def Chat(self, stream):
                async for each in stream:
                    await asyncio.sleep(each.number / 10_000)
                    yield Answer()

        async with site(Brief, max_ongoing_requests=5) as here:

            async def one(number):
                words = Words(number=number % 20)
                if number % 3:
                    call = here.talk.Say(words)
                else:
                    call = here.talk.Chat(iter([words] * 5))
                await asyncio.sleep(number % 17 / 5000)
                call.cancel()

            for _ in range(10):
                await asyncio.gather(*map(one, range(100)))
            await here.until(lambda: here.ongoing == 0)
            await here.until(lambda: not here.bench.router.queued())
            assert await here.talk.Say(Words()) == Answer()

    async def test_a_call_that_waits_never_runs_once_its_client_has_left(self, site):
        async with site(Endless, max_ongoing_requests=1) as here:
            first = here.talk.Say(Words())
            await here.until(lambda: here.ongoing == 1)
            second = here.talk.Say(Words())
            await here.until(here.bench.router.queued)
            second.cancel()
            await here.until(lambda: not here.bench.router.queued())
            first.cancel()
