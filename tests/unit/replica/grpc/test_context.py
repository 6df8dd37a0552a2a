"""What goes along with a message, both ways."""

# ruff: noqa: N802 - methods are named as the RPCs that they answer

import asyncio

import pytest

from tests.unit.replica.conftest import KEY
from tests.unit.replica.grpc.site import Answer, Code, Speaker, Words, error_of, grpc
from workbench.replica.grpc_context import RayServegRPCContext
from workbench.request import current_request

pytestmark = pytest.mark.anyio


class TestContext:
    async def test_the_request_id_comes_back_in_the_trailing_metadata(self, site):
        async with site(Speaker) as here:
            given = here.talk.Say(Words(), metadata=[("request_id", "mine")])
            made = here.talk.Say(Words())
            await asyncio.gather(given, made)
            ids = [
                dict(await each.trailing_metadata())["request_id"]
                for each in (given, made)
            ]

        assert ids == ["mine", "id-1"]

    async def test_a_failure_tells_the_request_id_too(self, site):
        async with site(Speaker) as here:
            call = here.call("/talk.Aside/Whisper")
            error = await error_of(call(Words(), metadata=[("request_id", "mine")]))

        assert dict(error.trailing_metadata())["request_id"] == "mine"

    async def test_metadata_says_how_the_call_is_treated(self, site):
        class Told:
            async def Say(self, words):
                told = current_request.get()
                return Answer(
                    text=f"{told.request_id} {told.multiplexed_model_id} {told.session_id} {told.route} {told.app_name}"
                )

        metadata = [
            ("request_id", "r"),
            ("multiplexed_model_id", "m"),
            ("session_id", "s"),
        ]
        async with site(Told) as here:
            answer = await here.talk.Say(Words(), metadata=metadata)

        assert answer.text == "r m s /talk.Talk/Say app"

    async def test_a_method_may_ask_for_the_calls_context(self, site):
        class Curious:
            async def Say(self, words, grpc_context: RayServegRPCContext):
                metadata = dict(grpc_context.invocation_metadata())
                told = (
                    str(metadata["own"]),
                    repr(metadata["own-bin"]),
                    grpc_context.request_id(),
                    grpc_context.application(),
                    grpc_context.multiplexed_model_id(),
                    grpc_context.peer().partition(":")[0],
                    str(grpc_context.peer_identities()),
                    str(grpc_context.code()),
                )
                return Answer(text=" ".join(told))

        metadata = [
            ("own", "1"),
            ("own-bin", b"\x00\xff"),
            ("request_id", "r"),
            ("multiplexed_model_id", "m"),
        ]
        async with site(Curious) as here:
            answer = await here.talk.Say(Words(), metadata=metadata)

        words = answer.text.split()
        assert words[5] in {"ipv4", "ipv6"}
        del words[5]
        assert words == ["1", r"b'\x00\xff'", "r", "app", "m", "None", "None"]

    async def test_trailing_metadata_is_replayed_in_the_proxy(self, site):
        class Talkative:
            async def Say(self, words, grpc_context):
                grpc_context.set_trailing_metadata([("k", "v"), ("b-bin", b"\x00")])
                grpc_context.set_compression(grpc.Compression.Gzip)
                return Answer()

            async def Count(self, words, grpc_context):
                yield Answer()
                grpc_context.set_trailing_metadata([("k", "v")])

        async with site(Talkative) as here:
            say, count = here.talk.Say(Words()), here.talk.Count(Words())
            await say
            items = [each async for each in count]
            one = dict(await say.trailing_metadata())
            two = dict(await count.trailing_metadata())

        assert (one["k"], one["b-bin"]) == ("v", b"\x00")
        assert (two["k"], len(items)) == ("v", 1)

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda c: c.set_code(17),
            lambda c: c.set_code("OK"),
            lambda c: c.set_trailing_metadata([("Upper", "v")]),
            lambda c: c.set_trailing_metadata([("k", 1)]),
            lambda c: c.set_trailing_metadata([("k", "né")]),
            lambda c: c.set_trailing_metadata([("k", "a\nb")]),
            lambda c: c.set_trailing_metadata([("a b", "v")]),
            lambda c: c.set_trailing_metadata([("grpc-status", "0")]),
            lambda c: c.set_trailing_metadata([("k-bin", "text")]),
            lambda c: c.set_compression(3),
        ],
    )
    async def test_what_grpc_cannot_send_is_an_error_where_it_is_set(self, site, wrong):
        seen = []

        class Wrong:
            async def Say(self, words, grpc_context):
                try:
                    wrong(grpc_context)
                except ValueError as error:
                    seen.append(error)
                return Answer()

        async with site(Wrong) as here:
            await here.talk.Say(Words())

        assert len(seen) == 1


class TestApplications:
    async def test_the_only_one_need_not_be_named(self, site):
        async with site(Speaker) as here:
            await here.talk.Say(Words())
            await here.talk.Say(Words(), metadata=[("application", "app")])

    async def test_one_of_several_must_be_named(self, site):
        async with site(Speaker) as here:
            here.bench.router.ingresses = {"app": KEY, "other": "other#d"}
            error = await error_of(here.talk.Say(Words()))
            await here.talk.Say(Words(), metadata=[("application", "app")])

        assert error.code() is Code.NOT_FOUND
        assert "['app', 'other']: name one in the metadata" in error.details()

    async def test_one_that_is_not_there_is_not_found(self, site):
        async with site(Speaker) as here:
            metadata = [("application", "none")]
            error = await error_of(here.talk.Say(Words(), metadata=metadata))

        assert error.code() is Code.NOT_FOUND
        assert "There is no application 'none'" in error.details()

    async def test_without_any_the_client_is_told(self, site):
        async with site(Speaker) as here:
            here.bench.router.ingresses = {}
            error = await error_of(here.talk.Say(Words()))

        assert error.code() is Code.NOT_FOUND
        assert error.details() == "No application is deployed."
