"""The server around the calls: health, reflection, certificates, limits, its port."""

# ruff: noqa: N802 - methods are named as the RPCs that they answer

import asyncio
import itertools
import os
from types import SimpleNamespace

import pytest
import trustme

from tests.unit.replica.grpc.site import (
    FUNCTIONS,
    Answer,
    Code,
    Speaker,
    Words,
    error_of,
    grpc,
    pb2_grpc,
)
from workbench.errors import PortBusyError, StartError
from workbench.observe.recorder import Recorders
from workbench.proxy.grpc.server import GrpcServer
from workbench.proxy.grpc.services import read_services
from workbench.spec.grpc import GRPCOptions

pytestmark = pytest.mark.anyio


def make_server(*, is_ready=True, **options):
    router = SimpleNamespace(
        ingresses={"a": "a#d", "b" * 200: "b#d"}, is_ready=is_ready
    )
    return GrpcServer(
        GRPCOptions(**options),
        read_services(FUNCTIONS),
        router,
        ended=Recorders(),
        ids=map(str, itertools.count()),
    )


@pytest.fixture
async def server():
    server = make_server()
    await server.open(0)
    yield server
    await server.close(0)


@pytest.fixture
async def channel(server):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel


class TestHealth:
    async def health_of(self, channel, service=""):
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        asked = health_pb2.HealthCheckRequest(service=service)
        return (await health_pb2_grpc.HealthStub(channel).Check(asked)).status

    async def test_it_serves_once_the_proxy_knows_its_routes(self, server, channel):
        before = await self.health_of(channel)
        await server.note_ready()
        after = await self.health_of(channel)
        of_talk = await self.health_of(channel, "talk.Talk")

        assert (before, after, of_talk) == (2, 1, 1)

    async def test_a_service_that_is_not_there_is_not_found(self, channel):
        error = await error_of(self.health_of(channel, "talk.Other"))

        assert error.code() is Code.NOT_FOUND


class TestReflection:
    async def services_of(self, channel):
        from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = [each async for each in stub.ServerReflectionInfo(iter([asked]))]
        return [each.name for each in answers[0].list_services_response.service]

    async def test_clients_may_ask_what_services_there_are(self, channel):
        found = await self.services_of(channel)

        assert {"talk.Talk", "talk.Aside", "grpc.health.v1.Health"} <= set(found)

    async def test_it_can_be_off(self):
        server = make_server(enable_reflection=False)
        await server.open(0)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            error = await error_of(self.services_of(channel))
        await server.close(0)

        assert error.code() is Code.UNIMPLEMENTED


@pytest.mark.parametrize(
    "service", ["ray.serve.RayServeAPIService", "workbench.WorkbenchAPIService"]
)
class TestInstanceService:
    async def test_it_lists_applications(self, channel, service):
        ask = channel.unary_unary(f"/{service}/ListApplications")
        long = b"b" * 200

        assert await ask(b"") == b"\x0a\x01a" + b"\x0a\xc8\x01" + long

    async def test_it_says_that_all_is_well(self, channel, service):
        ask = channel.unary_unary(f"/{service}/Healthz")

        assert await ask(b"") == b"\x0a\x07success"

    async def test_before_there_are_routes_nothing_is(self, service):
        server = make_server(is_ready=False)
        await server.open(0)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            error = await error_of(channel.unary_unary(f"/{service}/Healthz")(b""))
        await server.close(0)

        assert error.code() is Code.UNAVAILABLE


class TestLimits:
    async def test_a_longer_message_than_allowed_is_refused(self, site):
        options = GRPCOptions(max_message_bytes=1000)
        async with site(Speaker, options=options) as here:
            error = await error_of(here.talk.Say(Words(data=bytes(1001))))

        assert error.code() is Code.RESOURCE_EXHAUSTED

    async def test_so_is_one_within_a_stream(self, site):
        options = GRPCOptions(max_message_bytes=1000)
        async with site(Speaker, options=options) as here:
            given = iter([Words(number=1), Words(data=bytes(1001))])
            error = await error_of(here.talk.Sum(given))
            await here.until(lambda: here.ongoing == 0)

        assert error.code() is Code.RESOURCE_EXHAUSTED

    async def test_so_is_a_longer_answer(self, site):
        class Long:
            def Say(self, words):
                return Answer(data=bytes(1001))

        options = GRPCOptions(max_message_bytes=1000)
        async with site(Long, options=options) as here:
            error = await error_of(here.talk.Say(Words()))
            await here.until(lambda: here.ongoing == 0)

        assert error.code() is Code.RESOURCE_EXHAUSTED

    async def test_a_port_that_is_taken_is_an_error(self, server):
        other = make_server()

        with pytest.raises(PortBusyError, match=f"port {server.port} of 127"):
            await other.open(server.port)

    async def test_what_runs_may_finish_while_the_server_closes(self, site):
        arrived, release = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        class Slow:
            async def Say(self, words):
                loop.call_soon_threadsafe(arrived.set)
                await asyncio.wrap_future(
                    asyncio.run_coroutine_threadsafe(release.wait(), loop)
                )
                return Answer(text="done")

        async with site(Slow) as here:
            call = asyncio.ensure_future(here.talk.Say(Words()))
            await arrived.wait()
            closing = asyncio.ensure_future(here.server.close())
            error = await error_of(here.talk.Say(Words()))
            release.set()
            answer = await call
            await closing

        assert answer.text == "done"
        # gRPC's own answer to a call that meets a server on its way out: one of the two.
        assert error.code() in {Code.UNAVAILABLE, Code.CANCELLED}


class Certificates:
    """An authority, and files with what it has issued."""

    def __init__(self, folder):
        self.authority = trustme.CA()
        self.certfile, self.keyfile = folder / "cert.pem", folder / "key.pem"
        self.rootfile = folder / "root.pem"
        self.root = self.authority.cert_pem.bytes()
        self.rootfile.write_bytes(self.root)
        self.issue()

    def issue(self):
        issued = self.authority.issue_cert("localhost")
        self.certfile.write_bytes(issued.cert_chain_pems[0].bytes())
        self.keyfile.write_bytes(issued.private_key_pem.bytes())

    def channel(self, port, **client):
        credentials = grpc.ssl_channel_credentials(self.root, **client)
        return grpc.aio.secure_channel(f"localhost:{port}", credentials)

    @property
    def options(self):
        return {"ssl_certfile": str(self.certfile), "ssl_keyfile": str(self.keyfile)}


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path)


async def ask(channel):
    return await channel.unary_unary("/ray.serve.RayServeAPIService/Healthz")(b"")


class TestTls:
    async def test_a_client_that_knows_the_authority_is_served(self, certificates):
        server = make_server(**certificates.options)
        await server.open(0)
        async with certificates.channel(server.port) as channel:
            answer = await ask(channel)
        await server.close(0)

        assert answer == b"\x0a\x07success"

    async def test_plain_text_is_not_spoken(self, certificates):
        server = make_server(**certificates.options)
        await server.open(0)
        async with grpc.aio.insecure_channel(f"localhost:{server.port}") as channel:
            error = await error_of(ask(channel))
        await server.close(0)

        assert error.code() is Code.UNAVAILABLE

    async def test_clients_may_have_to_show_a_certificate(self, certificates, site):
        class Who:
            async def Say(self, words, grpc_context):
                identity = b" ".join(grpc_context.peer_identities() or ())
                known = len(grpc_context.auth_context())
                return Answer(text=f"{identity.decode()} {known}")

        mine = certificates.authority.issue_cert("me.example")
        shown = {
            "private_key": mine.private_key_pem.bytes(),
            "certificate_chain": mine.cert_chain_pems[0].bytes(),
        }
        options = GRPCOptions(
            **certificates.options, ssl_ca_certs=str(certificates.rootfile)
        )
        async with site(Who, options=options) as here:
            async with certificates.channel(here.server.port, **shown) as channel:
                answer = await pb2_grpc.TalkStub(channel).Say(Words())
            async with certificates.channel(here.server.port) as channel:
                error = await error_of(pb2_grpc.TalkStub(channel).Say(Words()))

        assert "me.example" in answer.text
        assert error.code() is Code.UNAVAILABLE

    async def test_a_newer_certificate_counts_for_later_connections(self, certificates):
        server = make_server(**certificates.options)
        await server.open(0)
        certificates.authority = trustme.CA()
        certificates.root = certificates.authority.cert_pem.bytes()
        certificates.issue()
        later = certificates.certfile.stat().st_mtime + 10
        os.utime(certificates.certfile, (later, later))
        async with certificates.channel(server.port) as channel:
            answer = await ask(channel)
        await server.close(0)

        assert answer == b"\x0a\x07success"

    async def test_a_key_of_another_certificate_is_an_error(self, certificates):
        other = certificates.authority.issue_cert("localhost")
        certificates.keyfile.write_bytes(other.private_key_pem.bytes())

        with pytest.raises(StartError, match="TLS cannot be spoken"):
            await make_server(**certificates.options).open(0)

    async def test_files_that_are_not_there_are_an_error(self, certificates):
        certificates.keyfile.unlink()

        with pytest.raises(StartError, match="TLS cannot be spoken"):
            await make_server(**certificates.options).open(0)
