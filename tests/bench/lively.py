"""What `steady` calls: an application whose every answer names its version."""

import asyncio
from typing import Any

from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse

from workbench import serve

_CHUNKS = 8
_CHUNK_S = 0.02


def lively(version: int = 0, constant: int = 0, **options: Any) -> Any:
    """The deployment; methods and constructor can be changed apart."""
    app = FastAPI()

    @serve.deployment(name="Lively", max_ongoing_requests=32, **options)
    @serve.ingress(app)
    class Lively:
        def __init__(self):
            self.constant = constant

        def reconfigure(self, config):
            self.config = config

        def version(self):
            return f"{version}.{self.constant}"

        @app.post("/")
        async def unary(self):
            return PlainTextResponse(self.version())

        @app.post("/stream")
        async def stream(self):
            return StreamingResponse(self.chunks(), media_type="text/plain")

        async def chunks(self):
            """The version again and again, and last how often."""
            for _ in range(_CHUNKS):
                yield f"{version}.{self.constant}\n"
                await asyncio.sleep(_CHUNK_S)
            yield str(_CHUNKS)

        @app.websocket("/socket")
        async def socket(self, socket: WebSocket):
            await socket.accept()
            async for _ in socket.iter_text():
                await socket.send_text(f"{version}.{self.constant}")
                await asyncio.sleep(_CHUNK_S)

    return Lively


def small(answer: int = 0, **options: Any) -> Any:
    """Another application, which comes and goes beside it."""

    @serve.deployment(name="Small", **options)
    def small_one() -> int:
        return answer

    return small_one
