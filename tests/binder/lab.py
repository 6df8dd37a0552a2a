"""A reader's JupyterLab, driven over the server's own API."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

PATIENCE_S = 180.0


class Lab:
    """Opens notebooks and runs their cells; their kernels stay, as a reader's do."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"token {token}"}
        self._http = httpx.Client(
            base_url=url, headers=self._headers, timeout=60, trust_env=False
        )

    def get(self, path: str) -> httpx.Response:
        """Any page or route of the server."""
        return self._http.get(path).raise_for_status()

    def run(self, path: str) -> None:
        """Open a notebook and run all its cells.

        Raises:
            AssertionError: a cell failed that should not.
        """
        opened = {
            "path": path,
            "name": path,
            "type": "notebook",
            "kernel": {"name": "python3"},
        }
        made = self._http.post("api/sessions", json=opened).raise_for_status().json()
        cells = self.get(f"api/contents/{path}").json()["content"]["cells"]
        asyncio.run(self._run(made["kernel"]["id"], list(code_of(cells))))

    def shut_down(self) -> None:
        """End the server and its kernels."""
        self._http.post("api/shutdown").raise_for_status()
        self._http.close()

    async def _run(self, kernel: str, cells: list[tuple[str, bool]]) -> None:
        url = f"{self._url.replace('http', 'ws', 1)}api/kernels/{kernel}/channels"
        socket = await websocket_connect(HTTPRequest(url, headers=self._headers))
        for source, may_fail in cells:
            reply = await asyncio.wait_for(execute(socket, source), PATIENCE_S)
            failed = reply["status"] != "ok" and not may_fail
            assert not failed, "\n".join([source, *reply.get("traceback", ())])
        socket.close()


def code_of(cells: list[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    """Source of each code cell, and whether it may fail."""
    for cell in cells:
        if cell["cell_type"] == "code":
            tags = cell["metadata"].get("tags", ())
            yield cell["source"], "raises-exception" in tags


async def execute(socket: WebSocketClientConnection, source: str) -> dict[str, Any]:
    """Run one cell; the content of the kernel's reply."""
    number = uuid4().hex
    header = {
        "msg_id": number,
        "msg_type": "execute_request",
        "session": number,
        "username": "",
        "version": "5.3",
        "date": "",
    }
    content = {"code": source, "store_history": True, "allow_stdin": False}
    message = {
        "channel": "shell",
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
    }
    await socket.write_message(json.dumps(message))
    while True:
        heard = await socket.read_message()
        assert heard is not None, f"the kernel's channel closed while running\n{source}"
        if isinstance(heard, bytes):  # a widget's
            continue
        answer = json.loads(heard)
        asked = answer["parent_header"].get("msg_id") == number
        if asked and answer["header"]["msg_type"] == "execute_reply":
            reply: dict[str, Any] = answer["content"]
            return reply
