"""The real control API with nothing behind it, on a real port in its own thread."""

import asyncio
import socket

import msgspec
import uvicorn

from workbench import __version__
from workbench.errors import ScaleError
from workbench.gateway.app import make_app
from workbench.loop import LoopThread
from workbench.spec.control import Introduction
from workbench.spec.events import HistoryEvent, StatusEvent
from workbench.spec.logs import LogPage
from workbench.spec.metrics import DeploymentSample, ReplicaSample, Sample
from workbench.spec.status import InstanceStatus, ServeStatus
from workbench.spec.table import Address


class FakeInstance:
    """Streams what a test tells it to say; remembers what it was asked."""

    def __init__(self, id_="i1", *, version=__version__, token="s3cret-0f-" + "f" * 40):
        self.id = id_
        self.version = version
        self.token = token
        self.asked = []
        self.history: tuple[Sample, ...] = (sample(1.0), sample(2.0))
        self.streams = 0
        """Event streams that are open."""
        self.opened = 0
        """Event streams that were opened so far."""
        self.on_shutdown = lambda: None
        self._is_leaving = asyncio.Event()
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
        config = uvicorn.Config(
            make_app(self, self.token), log_level="error", lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._serving = self._thread.submit(self._server.serve([self._socket]))

    def go(self):
        """Stop answering: what is open breaks."""
        if self._server is None:
            return
        self._server.should_exit = self._server.force_exit = True
        for queue in list(self._listeners):
            self._thread.loop.call_soon_threadsafe(queue.put_nowait, None)
        self._thread.loop.call_soon_threadsafe(self._is_leaving.set)
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

    # -- gateway.app.Backend -------------------------------------------------------

    def introduce(self):
        return Introduction(
            id=self.id,
            version=self.version,
            ray_version="2",
            python_version="3",
            http_url="http://127.0.0.1:8000",
            controller=Address(host_id="", path="", host="127.0.0.1", port=1),
            launcher_pid=1,
        )

    @property
    def versions(self):
        raise NotImplementedError  # nor does it ask for versions

    def explain(self, app):
        raise NotImplementedError  # nor why it has so many replicas

    def deploy(self, request):
        raise NotImplementedError  # the sidebar deploys nothing

    async def events(self):
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
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

    def metrics(self):
        return "serve_num_http_requests 3\n"

    async def logs(self, query):
        self.asked.append(("logs", query))
        if query.wait_s > 0:
            await self._is_leaving.wait()
        return LogPage(records=(), next=7)

    async def shutdown(self):
        self.asked.append(("shutdown",))
        self.on_shutdown()

    async def delete(self, name):
        self.asked.append(("delete", name))
        return name != "unknown"

    async def scale(self, app, deployment, num_replicas):
        self.asked.append(("scale", app, deployment, num_replicas))
        if num_replicas < 1:
            msg = f"A deployment has at least 1 replica, not {num_replicas}."
            raise ScaleError(msg)


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
