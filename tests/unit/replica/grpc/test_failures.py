"""How calls fail, and what clients are told."""

# ruff: noqa: N802 - methods are named as the RPCs that they answer

import asyncio

import pytest

from tests.unit.replica.grpc.site import Answer, Code, Speaker, Words, error_of, grpc
from workbench.spec.routing import BackpressureSpec

pytestmark = pytest.mark.anyio


class TestFailures:
    async def test_an_exception_is_internal_and_its_text_stays_in_the_log(self, site):
        class Broken:
            def Say(self, words):
                raise ValueError("secret")

        async with site(Broken) as here:
            error = await error_of(here.talk.Say(Words()))

        assert error.code() is Code.INTERNAL
        assert error.details() == "Internal error; see the log of request id-1."

    async def test_a_status_that_user_code_chose_wins(self, site):
        class Strict:
            def Say(self, words, grpc_context):
                grpc_context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
                grpc_context.set_details("no text")
                grpc_context.set_trailing_metadata([("field", "text")])
                raise ValueError("secret")

        async with site(Strict) as here:
            error = await error_of(here.talk.Say(Words()))

        assert error.code() is Code.INVALID_ARGUMENT
        assert error.details() == "no text"
        assert dict(error.trailing_metadata())["field"] == "text"

    async def test_whoever_chose_a_status_may_leave_the_details_to_the_error(
        self, site
    ):
        class Strict:
            def Say(self, words, grpc_context):
                grpc_context.set_code(9)
                raise ValueError("text is too long " * 1000)

        async with site(Strict) as here:
            error = await error_of(here.talk.Say(Words()))

        assert error.code() is Code.FAILED_PRECONDITION
        assert error.details().startswith("text is too long")
        assert len(error.details()) == 4096

    async def test_details_may_be_in_any_language_and_of_several_lines(self, site):
        class Strict:
            def Say(self, words, grpc_context):
                grpc_context.set_code(3)
                grpc_context.set_details("né\nà")
                raise ValueError

        async with site(Strict) as here:
            error = await error_of(here.talk.Say(Words()))

        assert error.details() == "né\nà"

    async def test_a_status_holds_for_a_method_that_returns(self, site):
        class Polite:
            async def Say(self, words, grpc_context):
                grpc_context.set_code(grpc.StatusCode.NOT_FOUND)
                return Answer()

        async with site(Polite) as here:
            error = await error_of(here.talk.Say(Words()))

        assert error.code() is Code.NOT_FOUND

    async def test_a_stream_that_breaks_gives_what_came_before(self, site):
        class Broken:
            async def Count(self, words):
                yield Answer(number=1)
                yield Answer(number=2)
                raise ValueError("secret")

        async with site(Broken) as here:
            call = here.talk.Count(Words())
            seen = [(await call.read()).number, (await call.read()).number]
            error = await error_of(call.read())

        assert seen == [1, 2]
        assert error.code() is Code.INTERNAL
        assert "secret" not in error.details()

    async def test_a_stream_may_end_with_a_status(self, site):
        class Polite:
            async def Count(self, words, grpc_context):
                yield Answer(number=1)
                grpc_context.set_code(grpc.StatusCode.OUT_OF_RANGE)
                grpc_context.set_details("only one")

        async with site(Polite) as here:
            call = here.talk.Count(Words())
            assert (await call.read()).number == 1
            error = await error_of(call.read())

        assert (error.code(), error.details()) == (Code.OUT_OF_RANGE, "only one")

    async def test_a_method_that_is_not_there_is_unimplemented(self, site):
        async with site(Speaker) as here:
            error = await error_of(here.call("/talk.Aside/Whisper")(Words()))

        assert error.code() is Code.UNIMPLEMENTED
        assert "has no method 'Whisper'" in error.details()

    async def test_a_service_that_is_not_there_is_unimplemented(self, site):
        async with site(Speaker) as here:
            error = await error_of(here.call("/talk.Other/Whisper")(Words()))

        assert error.code() is Code.UNIMPLEMENTED

    @pytest.mark.parametrize("value", [None, {"text": "hi"}, Words(text="hi")])
    async def test_another_type_than_the_rpcs_is_named(self, site, value):
        class Wrong:
            def Say(self, words):
                return value

        async with site(Wrong) as here:
            error = await error_of(here.talk.Say(Words()))

        assert error.code() is Code.INTERNAL
        assert f"({type(value).__name__}) is no answer" in error.details()
        assert "must be a talk.Answer" in error.details()

    async def test_bytes_that_are_no_message_are_an_error(self, site):
        async with site(Speaker) as here:
            say = here.channel.unary_unary("/talk.Talk/Say")
            error = await error_of(say(b"\xff\xff"))

        assert error.code() is Code.INTERNAL
        assert "cannot be read" in error.details()

    async def test_a_generator_behind_an_rpc_of_one_answer_is_refused(self, site):
        class Wrong:
            def Say(self, words):
                yield Answer()

        async with site(Wrong) as here:
            error = await error_of(here.talk.Say(Words()))

        assert error.code() is Code.INTERNAL
        assert "returns (stream ...)" in error.details()

    async def test_one_answer_behind_an_rpc_that_streams_is_refused(self, site):
        class Wrong:
            def Count(self, words):
                return Answer()

        async with site(Wrong) as here:
            error = await error_of(here.talk.Count(Words()).read())

        assert error.code() is Code.INTERNAL
        assert "use `yield`" in error.details()

    async def test_a_full_queue_is_resource_exhausted_and_says_when_to_come_again(
        self, site
    ):
        release = asyncio.Event()
        loop = asyncio.get_running_loop()

        class Slow:
            async def Say(self, words):
                await asyncio.wrap_future(
                    asyncio.run_coroutine_threadsafe(release.wait(), loop)
                )
                return Answer()

        async with site(Slow, max_ongoing_requests=1) as here:
            pushback = BackpressureSpec(retry_after_s=1.5)
            here.route(max_queued_requests=1, backpressure=pushback)
            first = asyncio.ensure_future(here.talk.Say(Words()))
            await here.until(lambda: here.ongoing == 1)
            second = asyncio.ensure_future(here.talk.Say(Words()))
            await here.until(here.bench.router.queued)
            error = await error_of(here.talk.Say(Words()))
            release.set()
            await asyncio.gather(first, second)

        assert error.code() is Code.RESOURCE_EXHAUSTED
        assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "1500"

    async def test_a_deployment_that_failed_is_unavailable(self, site):
        async with site(Speaker) as here:
            here.route(replicas=(), failure="It failed to deploy.")
            error = await error_of(here.talk.Say(Words()))

        assert (error.code(), error.details()) == (
            Code.UNAVAILABLE,
            "It failed to deploy.",
        )
