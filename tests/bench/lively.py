"""What `steady` calls: an application whose every answer names its version."""

import asyncio
import linecache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse

from workbench import serve

_CHUNKS = 8
_CHUNK_S = 0.02
# More than what is sent through a channel rather than lent.
_LARGE_BYTES = 300_000


def lively(  # noqa: C901 - one class, with short methods
    version: int = 0, constant: int = 0, **options: Any
) -> Any:
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

        @app.post("/large")
        async def large(self):
            """A large value there and back, to whichever replica takes it."""
            me = serve.get_replica_context()
            handle = serve.get_deployment_handle("Lively", me.app_name)
            sent = bytes(_LARGE_BYTES)
            is_whole = await handle.mirror.remote(sent) == sent
            return PlainTextResponse(self.version(), 200 if is_whole else 500)

        async def mirror(self, value):
            return value

        async def census(self):
            """What there is of ours in the cluster, by the names that Ray knows."""
            return await asyncio.to_thread(in_cluster)

        async def holdings(self):
            """How much of its own code, old and new, this process holds."""
            return holdings()

    return Lively


def holdings() -> dict[str, int]:
    """Classes that are or were served, and sources that came with them."""
    classes = [each for each in object.__subclasses__() if each.__name__ == "Lively"]
    sources = [each for each in linecache.cache if not Path(each).exists()]
    return {"classes": len(classes), "sources": len(sources)}


def in_cluster() -> dict[str, Any]:
    """Names of our actors, and how many reservations there are."""
    import ray  # there in a replica, and nobody else needs it

    actors = [
        row["name"]
        for row in ray.util.list_named_actors(all_namespaces=True)
        if row["namespace"] == "workbench"
    ]
    groups = ray.util.placement_group_table().values()
    held = sum(
        row["state"] != "REMOVED" and row["name"].startswith("workbench-")
        for row in groups
    )
    return {"actors": actors, "reservations": held}


def small(answer: int = 0, **options: Any) -> Any:
    """Another application, which comes and goes beside it."""

    @serve.deployment(name="Small", **options)
    def small_one() -> int:
        return answer

    return small_one
