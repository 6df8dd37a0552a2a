"""The four kinds of RPC."""

# ruff: noqa: N802 - methods are named as the RPCs that they answer

import pytest

from tests.unit.replica.grpc.site import Answer, Speaker, Words, grpc

pytestmark = pytest.mark.anyio


class TestCardinalities:
    async def test_one_message_is_answered_by_the_method_of_the_rpcs_name(self, site):
        async with site(Speaker) as here:
            answer = await here.talk.Say(Words(text="hi", number=1))

        assert (answer.text, answer.number) == ("HI", 2)

    async def test_an_rpc_may_be_named_call(self, site):
        async with site(Speaker) as here:
            answer = await here.call()(Words(text="it"))

        assert answer.text == "called with it"

    async def test_a_generator_answers_with_a_stream(self, site):
        async with site(Speaker) as here:
            answers = [a.number async for a in here.talk.Count(Words(number=3))]

        assert answers == [0, 1, 2]

    async def test_a_clients_stream_is_answered_with_one_message(self, site):
        async with site(Speaker) as here:
            answer = await here.talk.Sum(Words(number=n) for n in range(1000))

        assert answer.number == sum(range(1000))

    async def test_both_sides_stream_message_by_message(self, site):
        async with site(Speaker) as here:
            chat = here.talk.Chat()
            seen = []
            for text in ("a", "b", ""):
                await chat.write(Words(text=text))
                seen.append((await chat.read()).text)
            await chat.done_writing()
            last = await chat.read()

        assert seen == ["re: a", "re: b", "re: "]
        assert last is grpc.aio.EOF

    async def test_def_methods_iterate_and_yield_in_a_thread(self, site):
        class Threaded:
            def Sum(self, stream):
                return Answer(number=sum(each.number for each in stream))

            def Chat(self, stream):
                for each in stream:
                    yield Answer(text=each.text * 2)

        async with site(Threaded) as here:
            total = await here.talk.Sum(Words(number=n) for n in range(100))
            texts = [a.text async for a in here.talk.Chat(iter([Words(text="ab")]))]

        assert total.number == 4950
        assert texts == ["abab"]

    async def test_a_method_may_answer_before_the_clients_stream_ends(self, site):
        class Hasty:
            async def Sum(self, stream):
                return Answer(number=(await anext(stream)).number)

        async with site(Hasty) as here:
            call = here.talk.Sum()
            await call.write(Words(number=7))
            answer = await call
            await here.until(lambda: here.ongoing == 0)

        assert answer.number == 7

    async def test_a_large_message_goes_there_and_back(self, site):
        class Mirror:
            def Say(self, words):
                return Answer(data=words.data)

        data = bytes(range(256)) * 4096 * 8
        options = (("grpc.max_receive_message_length", -1),)
        async with site(Mirror, channel_options=options) as here:
            answer = await here.talk.Say(Words(data=data))

        assert answer.data == data
