"""Clients that people use."""

import json
import shutil
import subprocess

import httpx
import pytest

from tests.integration.proxy.door import MIB


class TestRealClients:
    def test_httpx(self, server):
        def pieces():
            yield b"one "
            yield b"two"

        with httpx.Client(trust_env=False) as client:
            answers = [
                client.post(f"{server.url}/echo", content=pieces()) for _ in range(2)
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
