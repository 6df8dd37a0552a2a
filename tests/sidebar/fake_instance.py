"""A control API with nothing behind it, on a real port in a thread of its own."""

import asyncio
import socket

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from workbench import __version__
from workbench.loop import LoopThread
from workbench.spec.events import HistoryEvent, StatusEvent
from workbench.spec.metrics import DeploymentSample, ReplicaSample, Sample
from workbench.spec.status import InstanceStatus, ServeStatus


class FakeInstance:
    """Streams what a test tells it to say; remembers what it was asked."""

    def __init__(self, id_="i1", *, version=__version__, token="s3cret-0f-" + "f" * 40):
        self.id = id_
        self.version = version
        self.token = token
        self.asked = []
        self.history = (sample(1.0), sample(2.0))
        self.streams = 0
        """Event streams that are open."""
        self.opened = 0
        """Event streams that were opened so far."""
        self._listeners = set()
        self._thread = LoopThread("fake-instance").start()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = None

    def __enter__(self):
        self.come()
        return self

    def __exit__(self, *_):
        self.go()
        self._thread.stop()
        self._socket.close()

    def come(self):
        """Begin to answer (again)."""
        if self._socket.fileno() == -1:
            self._socket = socket.create_server(("127.0.0.1", self.port))
        config = uvicorn.Config(self._app(), log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._serving = self._thread.submit(self._server.serve([self._socket]))

    def go(self):
        """Stop answering: what is open breaks."""
        if self._server is None:
            return
        self._server.should_exit = self._server.force_exit = True
        for queue in self._listeners:
            self._thread.loop.call_soon_threadsafe(queue.put_nowait, None)
        self._serving.result(10)
        self._socket.close()
        self._server = None

    def say(self, *events):
        """Send events on every open stream."""
        for event in events:
            line = event if isinstance(event, bytes) else msgspec.json.encode(event)
            for queue in list(self._listeners):
                self._thread.loop.call_soon_threadsafe(queue.put_nowait, line)

    def status(self):
        return ServeStatus(
            instance=InstanceStatus(
                id=self.id,
                version=self.version,
                ray_version="2",
                http_url="http://127.0.0.1:8000",
            )
        )

    # -- the API -------------------------------------------------------------------

    def _app(self):
        routes = [
            ("GET", "/api/instance", self._instance),
            ("GET", "/api/events", self._events),
            ("GET", "/api/logs", self._logs),
            ("POST", "/api/shutdown", self._shutdown),
            ("DELETE", "/api/applications/{app}", self._delete),
            ("PUT", "/api/applications/{app}/deployments/{name}/scale", self._scale),
        ]
        return Starlette(
            routes=[
                Route(path, self._guarded(call), methods=[verb])
                for verb, path, call in routes
            ]
        )

    def _guarded(self, call):
        async def guarded(request):
            if request.headers.get("authorization") != f"Bearer {self.token}":
                text = {"error": "WrongTokenError", "message": "No."}
                return JSONResponse(text, status_code=401)
            return await call(request)

        return guarded

    async def _instance(self, _):
        return JSONResponse({"id": self.id, "version": self.version, "more": 1})

    async def _events(self, _):
        return StreamingResponse(self._stream(), media_type="application/x-ndjson")

    async def _stream(self):
        queue = asyncio.Queue()
        self._listeners.add(queue)
        self.streams += 1
        self.opened += 1
        try:
            yield msgspec.json.encode(StatusEvent(status=self.status())) + b"\n"
            yield msgspec.json.encode(HistoryEvent(samples=self.history)) + b"\n"
            while (line := await queue.get()) is not None:
                yield line + b"\n"
        finally:
            self.streams -= 1
            self._listeners.discard(queue)

    async def _logs(self, request):
        self.asked.append(("logs", dict(request.query_params)))
        return JSONResponse({"records": [], "next": 7, "dropped": 0})

    async def _shutdown(self, _):
        self.asked.append(("shutdown",))
        return JSONResponse({"shutdown": True})

    async def _delete(self, request):
        app = request.path_params["app"]
        self.asked.append(("delete", app))
        return JSONResponse({"deleted": app != "unknown"})

    async def _scale(self, request):
        where = request.path_params["app"], request.path_params["name"]
        wish = await request.json()
        self.asked.append(("scale", *where, wish["num_replicas"]))
        if wish["num_replicas"] < 1:
            text = {"error": "DeployError", "message": "At least 1 replica."}
            return JSONResponse(text, status_code=400)
        return JSONResponse({"scaled": True})


def sample(at_s, replicas=0):
    """One moment of an application with one deployment."""
    return Sample(
        at_s=at_s,
        deployments={"a#d": DeploymentSample(requests_per_s=at_s, replicas=replicas)},
        replicas={
            f"d-{number:06x}": ReplicaSample(deployment="a#d", memory_bytes=10**8)
            for number in range(replicas)
        },
    )
