"""The peer everything is measured against: uvicorn alone, one process, one app."""

import json
import socket
import sys
import threading
from typing import Any

import uvicorn

from tests.bench.chunks import chunks
from tests.bench.fastapi_echo import app as fastapi


async def echo(scope, receive, send):
    """Answer the JSON that came."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = json.dumps(json.loads(body)).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


_CONTENT = bytes(64 * 1024 * 1024)


async def bodies(scope, receive, send):
    """`GET /<size>` answers so many bytes; `POST /` says how many came."""
    if scope["method"] == "POST":
        pieces = []
        more = True
        while more:
            message = await receive()
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        answer = str(len(b"".join(pieces))).encode()
    else:
        answer = _CONTENT[: int(scope["path"].rpartition("/")[2])]
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def streams(scope, receive, send):
    """`GET /<count>` streams so many chunks."""
    start = {"type": "http.response.start", "status": 200, "headers": []}
    await send(start)
    async for chunk in chunks(int(scope["path"].rpartition("/")[2])):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


APPS: dict[str, Any] = {
    "bodies": bodies,
    "echo": echo,
    "fastapi": fastapi,
    "streams": streams,
}


def main():
    """Serve the app of that name until the input closes."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        APPS[sys.argv[1]],
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="error",
    )
    server = uvicorn.Server(config)

    def stop_at_end_of_input():
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=stop_at_end_of_input, daemon=True).start()
    print(f"READY http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
