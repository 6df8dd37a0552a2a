"""HTTPS and wss, with certificates made for the test."""

import asyncio
import ssl
import threading
from typing import Any

import httpx
import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.integration.proxy.door import MIB, PATIENCE_S, running_server
from workbench.errors import StartError
from workbench.spec.http import HTTPOptions


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    """Options that name a certificate, its key and who signed it."""
    directory = tmp_path_factory.mktemp("tls")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(directory / "cert.pem", append=True)
    return {
        "ssl_certfile": str(directory / "cert.pem"),
        "ssl_keyfile": str(directory / "key.pem"),
    }


@pytest.fixture(scope="module")
def secure_server(files):
    with running_server(HTTPOptions(**files)) as server:
        yield server


def trusting(authority, client=None):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if client is not None:
        client.configure_cert(context)
    return context


@pytest.fixture
def https(secure_server, authority):
    url = f"https://127.0.0.1:{secure_server.port}"
    context = trusting(authority)
    with httpx.Client(base_url=url, verify=context, trust_env=False) as client:
        yield client


def test_requests_of_any_size(https):
    for size in (0, 1000, 3 * MIB):
        answer = https.post("/echo", content=b"x" * size)
        assert len(answer.json()["body"]) == size


def test_the_replica_learns_that_it_was_https(https, secure_server):
    def answer():
        calls.append(secure_server.router.next_call())
        calls[0].reply(body=b"x" * 3 * MIB)

    calls: list[Any] = []
    answering = threading.Thread(target=answer)
    answering.start()
    assert len(https.get("/held").content) == 3 * MIB
    answering.join(PATIENCE_S)

    assert calls[0].message.scheme == "https"


def test_a_refused_upload_gets_its_answer(https):
    assert https.post("/no", content=b"x" * 3 * MIB).status_code == 404


def test_websockets(secure_server, authority):
    def answer():
        call = secure_server.router.next_call()
        call.accept()
        call.part(call.next_message())
        call.close(4000, "done")

    # Not the client of threads: before Python 3.13 two threads that read and write one
    # TLS connection lose what is written, about once in a hundred openings under load.
    async def converse():
        url = f"wss://127.0.0.1:{secure_server.port}/held"
        context = trusting(authority)
        async with connect(url, ssl=context, proxy=None, max_size=None) as client:
            await client.send("x" * 3 * MIB)
            assert await client.recv() == "x" * 3 * MIB
            with pytest.raises(ConnectionClosed, match="4000"):
                await client.recv()

    answering = threading.Thread(target=answer)
    answering.start()
    asyncio.run(asyncio.wait_for(converse(), PATIENCE_S))
    answering.join(PATIENCE_S)


def test_plain_http_is_not_answered(secure_server):
    with secure_server.client() as client:
        client.send(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")

        assert b"HTTP/1.1 2" not in client.read_rest()


def test_who_must_be_known_is_asked_for_a_certificate(files, authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    options = HTTPOptions(**files, ssl_ca_certs=str(tmp_path / "ca.pem"))
    with running_server(options) as server:
        url = f"https://127.0.0.1:{server.port}/echo"
        with (
            httpx.Client(verify=trusting(authority), trust_env=False) as nobody,
            pytest.raises(httpx.TransportError),
        ):
            nobody.get(url)
        known = authority.issue_cert("me@example.org")
        context = trusting(authority, known)
        with httpx.Client(verify=context, trust_env=False) as client:
            assert client.get(url).status_code == 200


@pytest.mark.parametrize("problem", ["nothing there", "no certificate"])
def test_files_that_cannot_be_used_are_an_error_with_advice(files, tmp_path, problem):
    bad = tmp_path / "bad.pem"
    if problem == "no certificate":
        bad.write_text("text")
    options = HTTPOptions(**{**files, "ssl_certfile": str(bad)})

    with pytest.raises(StartError, match="in PEM"), running_server(options):
        pass
