"""Clients that people use."""

import asyncio
import http.client
import json
import shutil
import subprocess

import aiohttp
import httpx
import pytest
import requests

from tests.integration.proxy.door import MIB


def in_parts():
    """A body without a length."""
    yield b"one "
    yield b"two"


class TestRealClients:
    def test_httpx(self, server):
        with httpx.Client(trust_env=False) as client:
            answers = [
                client.post(f"{server.url}/echo", content=in_parts()) for _ in range(2)
            ]

        assert [each.json()["body"] for each in answers] == ["one two", "one two"]

    @pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
    @pytest.mark.parametrize(
        "options",
        [
            [],
            ["--http1.0"],
            ["--header", "Transfer-Encoding: chunked"],
            ["--header", "Expect: 100-continue"],
        ],
        ids=["plain", "http/1.0", "chunked", "expect"],
    )
    def test_curl(self, server, options, tmp_path):
        upload = tmp_path / "upload"
        upload.write_bytes(b"x" * 3 * MIB)
        command = [
            "curl",
            "--silent",
            "--fail",
            "--noproxy",
            "*",
            *options,
            "--data-binary",
        ]
        command += [f"@{upload}", f"{server.url}/echo"]
        done = subprocess.run(command, capture_output=True, check=True, timeout=30)

        assert len(json.loads(done.stdout)["body"]) == 3 * MIB

    def test_requests(self, server):
        with requests.Session() as session:
            session.trust_env = False
            for body in (b"", b"whole", in_parts()):
                answer = session.post(f"{server.url}/echo", data=body, timeout=30)
                assert answer.ok
            assert answer.json()["body"] == "one two"
            assert session.head(f"{server.url}/echo", timeout=30).text == ""
            assert session.get(f"{server.url}/no", timeout=30).status_code == 404

    def test_http_client(self, server, router):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for _ in range(2):
            connection.request("POST", "/echo", in_parts(), encode_chunked=True)
            answer = connection.getresponse()
            assert json.loads(answer.read())["method"] == "POST"
        connection.request("GET", "/held")
        call = router.next_call()
        call.reply(body=b"one ", more=True)
        answer = connection.getresponse()
        assert answer.read(4) == b"one "
        call.chunk(b"two")
        call.end()
        assert answer.read() == b"two"
        connection.close()

    def test_aiohttp(self, server):
        async def scenario():
            async def upload():
                for piece in in_parts():
                    yield piece

            async with aiohttp.ClientSession(server.url) as session:
                async with session.post("/echo", data=upload()) as answer:
                    assert (await answer.json())["body"] == "one two"
                many = [session.get("/echo") for _ in range(50)]
                statuses = [answer.status for answer in await asyncio.gather(*many)]
                assert set(statuses) == {200}

        asyncio.run(scenario())

    @pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
    @pytest.mark.timeout(60)
    def test_chromium_fetches(self, server):
        playwright = pytest.importorskip("playwright.sync_api")
        script = """async () => {
            const body = 'x'.repeat(3000000);
            const one = await fetch('/echo', {method: 'POST', body});
            const many = await Promise.all(
                Array.from({length: 30}, (_, n) => fetch('/echo?' + n)));
            const queries = await Promise.all(many.map(async r => (await r.json()).query));
            return [(await one.json()).body.length, queries.join()];
        }"""
        with playwright.sync_playwright() as tools:
            browser = tools.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page()
            page.goto(f"{server.url}/-/healthz")
            size, queries = page.evaluate(script)
            browser.close()

        assert size == 3_000_000
        assert queries == ",".join(str(number) for number in range(30))
