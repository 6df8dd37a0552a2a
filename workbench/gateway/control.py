"""The controller, and all that it works with: built, connected, and taken down.

Lives in the process of `process`, on a loop of its own; `app` asks it what front ends
ask. It decides nothing by itself.
"""

import asyncio
import contextlib
import os
import platform
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from workbench import __version__
from workbench.cluster.ray_cluster import RayCluster
from workbench.controller.autoscaler import Autoscaler
from workbench.controller.checkpoint import Checkpoint, CheckpointStore
from workbench.controller.commands import Commands
from workbench.controller.controller import Controller
from workbench.controller.inquest import Inquest
from workbench.controller.leftovers import keep_swept
from workbench.controller.logs import Logs
from workbench.controller.measured import Measurements
from workbench.controller.mirror import Mirror
from workbench.controller.pool import ShellPool
from workbench.controller.proxies import ProxyKeeper
from workbench.controller.publish import Publisher
from workbench.controller.saved import SavedFiles
from workbench.controller.smoke import sender
from workbench.controller.versions import Versions
from workbench.controller.work import ReplicaWork
from workbench.gateway.addresses import (
    grpc_address,
    http_url,
    no_proxy_notes,
    port_notes,
)
from workbench.gateway.adoption import ADOPT_S, Adoption
from workbench.gateway.app import make_app
from workbench.gateway.events import EventFeed
from workbench.gateway.spans import export_spans, spans_note
from workbench.instance import channel_secret
from workbench.observe.usage import free_bytes
from workbench.proxy.process import ProxyProcess
from workbench.replica.process import ReplicaProcess
from workbench.spec.application import DeployRequest
from workbench.spec.autoscaling import ScalingRecord
from workbench.spec.control import (
    CONTROLLER_NAME,
    ControlConfig,
    Credentials,
    Introduction,
)
from workbench.spec.logs import LogPage, LogQuery
from workbench.spec.proxy import ProxyConfig
from workbench.spec.replica import ShellConfig
from workbench.spec.status import (
    DeployEvent,
    InstanceStatus,
    ServeStatus,
)
from workbench.wire.channel import listen
from workbench.wire.host import host_id
from workbench.wire.messages import (
    Accessed,
    Measured,
    Reported,
    Said,
    UserMetrics,
    Wake,
)

if TYPE_CHECKING:
    from workbench.spec.table import Address

__all__ = ["Control"]

_LOOPBACK = "127.0.0.1"
# How long deleting everything may take when the instance is shut down.
_LEAVE_S = 5.0
# How long the last changes may take to reach the saved files.
_SAVE_S = 3.0
# How long a new proxy may take to ask for the table.
_DOOR_S = 10.0


class Control:
    """The parts of the process, built in `start`; implements `gateway.app.Backend`."""

    def __init__(self, config: ControlConfig) -> None:
        self._config = config
        self._cluster = RayCluster()
        self._logs = Logs()
        self._mirror = Mirror(self._cluster, SavedFiles(Path(config.saved_dir)))
        self._outages = config.outages
        self._ending = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._controller: Controller
        self._autoscaler: Autoscaler
        self._proxies: ProxyKeeper
        self._pool: ShellPool
        self._address: Address

    async def start(self) -> Credentials:
        """Bring everything up; an earlier controller's processes are taken over."""
        self._spawn(self._mirror.run())
        store = CheckpointStore(self._mirror, self._config.kept_versions)
        checkpoint = await store.read()
        publisher = self._publisher = Publisher()
        publisher.hear(Said, self._logs.hear)
        publisher.hear(Accessed, self._logs.hear)
        measurements = self._measurements = Measurements()
        publisher.hear(Measured, measurements.take)
        publisher.hear(UserMetrics, measurements.totals.take_users)
        commands = Commands(publisher)
        publisher.hear(Reported, commands.take)
        publisher.on_gone = [measurements.forget, commands.forget]
        await self._listen(publisher, checkpoint.wire_port)
        self._pool = await self._make_pool()
        self._controller = Controller(store, publisher, checkpoint)
        self._controller.work = ReplicaWork(
            places=self._cluster,
            pool=self._pool,
            commands=commands,
            store=store,
            tell=self._controller.tell,
            observed=self._controller.observed,
            inquest=Inquest(self._socket_dir()),
        )
        self._controller.work.before_traffic = self._controller.trials.before_traffic
        self._controller.trials.send = sender(channel_secret(self._config.token))
        self._controller.trials.check = self._controller.work.check
        self._controller.trials.measured = measurements
        self._controller.http_url = self._http_url
        self._controller.note = self._logs.note
        self._feed = EventFeed(
            measurements, status=self.status, population=self._controller.population
        )
        self._controller.on_turned = self._feed.on_changed
        self._mirror.on_problem = self._feed.on_changed
        self._scale_by_itself(store, publisher)
        self._proxies = self._make_proxies(checkpoint)
        await Adoption(
            cluster=self._cluster,
            controller=self._controller,
            pool=self._pool,
            proxies=self._proxies,
        ).take_over()
        self._controller.publish(anew=True)
        self._spawn(self._fill_pool())
        used = self._controller.observed.reservations
        self._spawn(keep_swept(self._socket_dir(), self._cluster, used))
        gateway_port = await self._serve_api(checkpoint.gateway_port)
        await self._open_door()
        await self._controller.remember(
            http_port=self._proxies.port,
            grpc_port=self._proxies.grpc_port,
            gateway_port=gateway_port,
            wire_port=self._listener.port,
        )
        self._spawn(self._controller.run())
        self._spawn(self._feed.run())
        self._spawn(self._proxies.keep_running())
        return Credentials(
            url=f"http://{_LOOPBACK}:{gateway_port}", token=self._config.token
        )

    # -- gateway.app.Backend -------------------------------------------------------

    def introduce(self) -> Introduction:
        """What a front end must know of this instance."""
        return Introduction(
            id=self._config.id,
            version=__version__,
            ray_version=self._config.ray_version,
            python_version=platform.python_version(),
            http_url=self._http_url(),
            controller=self._address,
            launcher_pid=self._config.launcher_pid,
            http=replace(self._config.http, ssl_keyfile_password=None),
            is_traced=self._config.tracing is not None,
        )

    def status(self) -> ServeStatus:
        """Everything that runs."""
        proxies, pids = {}, {}
        if self._config.http.has_proxy:
            proxies[self._proxies.name] = self._proxies.status
            pids["proxy"] = self._proxies.pid
        return ServeStatus(
            proxies=proxies,
            applications=self._controller.status(),
            target_capacity=self._controller.target_capacity,
            instance=InstanceStatus(
                id=self._config.id,
                version=__version__,
                ray_version=self._config.ray_version,
                http_url=self._http_url(),
                notes=self._notes(),
                pids={
                    "launcher": self._config.launcher_pid,
                    "controller": os.getpid(),
                    **pids,
                },
                grpc_address=grpc_address(self._config, self._proxies.grpc_port),
            ),
        )

    def events(self) -> AsyncIterator[bytes]:
        """Status, history and samples, a line of JSON each."""
        return self._feed.follow()

    def metrics(self) -> str:
        """Everything counted, for Prometheus."""
        now = None
        if self._measurements.history:
            now = self._measurements.latest(self._controller.population())
        applications = self._controller.status().items()
        routes = {name: app.route_prefix or "" for name, app in applications}
        return self._measurements.totals.text(now, routes)

    def deploy(self, request: DeployRequest) -> AsyncIterator[DeployEvent]:
        """Deploy an application."""
        return self._controller.deploy(request)

    @property
    def versions(self) -> Versions:
        """What was deployed, and the way back to it."""
        return self._controller.versions

    async def delete(self, name: str) -> bool:
        """Delete an application."""
        return await self._controller.delete(name)

    async def scale(self, app: str, deployment: str, num_replicas: int) -> None:
        """Change how many replicas there should be."""
        await self._controller.scale(app, deployment, num_replicas)

    async def logs(self, query: LogQuery) -> LogPage:
        """What replicas said."""
        return await self._logs.read(query)

    async def shutdown(self) -> None:
        """Ask whoever owns the instance to end it."""
        await self._mirror.freeze(_SAVE_S)
        replicas = self._controller.work.processes.values()
        await export_spans(self._config, [*replicas, *self._proxies.processes])
        self._ending.set()

    async def wait_for_shutdown(self) -> None:
        """Return once `shutdown` was asked for."""
        await self._ending.wait()

    async def tell_outage(self, text: str) -> None:
        """Show it in the status, beside the last few."""
        self._outages = (*self._outages[-2:], text)
        self._feed.on_changed()

    def _notes(self) -> tuple[str, ...]:
        problems = (self._mirror.problem,) if self._mirror.problem else ()
        notes = (*self._controller.checkpoint.notes, *spans_note(self._config))
        return (*notes, *self._outages, *problems)

    async def leave(self) -> None:
        """Delete every application, then end the processes that are left."""
        await self._mirror.freeze(_SAVE_S)
        names = list(self._controller.status())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await asyncio.gather(*(self._controller.delete(each) for each in names))
        self._autoscaler.close()
        self._proxies.is_closing = True
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
        # By name, so that a shell that was just being started goes too.
        for name in await self._cluster.list_names():
            process = (
                None if name == CONTROLLER_NAME else await self._cluster.find(name)
            )
            if process is not None:
                await process.end()
        # The next instance on this cluster is another one.
        await self._cluster.forget("checkpoint")

    def explain(self, app: str) -> tuple[ScalingRecord, ...]:
        """What autoscaling decided, and why."""
        return self._autoscaler.explain(app)

    # -- start-up ------------------------------------------------------------------

    def _scale_by_itself(self, store: CheckpointStore, publisher: Publisher) -> None:
        controller, measurements = self._controller, self._measurements
        scaler = self._autoscaler = Autoscaler(controller, store.blob, self._logs.note)
        publisher.hear(Wake, scaler.wake)
        controller.on_hand = scaler.set_by_hand
        controller.scaling_reasons = scaler.reasons
        self._feed.on_measured = lambda now: scaler.tick(now, measurements.signals())

    async def _listen(self, publisher: Publisher, port: int | None) -> None:
        """Take channels; routers look for a restarted controller where it was."""
        sockets = self._socket_dir()
        sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = await listen(
            publisher,
            path=sockets / "controller.sock",
            host=await self._own_host(),
            secret=channel_secret(self._config.token),
            port=port or 0,
        )
        self._listener = listener
        self._address = listener.address(host_id())

    async def _own_host(self) -> str:
        if self._config.is_embedded:
            return _LOOPBACK
        return (await self._cluster.nodes())[0].host

    def _socket_dir(self) -> Path:
        return Path(self._config.home) / "s"

    async def _make_pool(self) -> ShellPool:
        nodes = await self._cluster.nodes()
        template = ShellConfig(
            id="",
            socket_dir=str(self._socket_dir()),
            host=_LOOPBACK if self._config.is_embedded else "",
            secret=channel_secret(self._config.token),
            controller=self._address,
            services=self._config.grpc.services if self._config.grpc else "",
            tracing=self._config.tracing,
        )
        pool = ShellPool(
            self._cluster, ReplicaProcess, template, self._config.spare_shells
        )
        pool.home_node = nodes[0].id
        pool.host_of = self._host_of
        pool.free_memory = free_bytes
        return pool

    async def _host_of(self, node_id: str) -> str:
        """Address of a node, which may have joined just now."""
        for node in await self._cluster.nodes():
            if node.id == node_id:
                return node.host
        msg = f"node {node_id} has left the cluster"
        raise ProcessLookupError(msg)

    def _make_proxies(self, checkpoint: Checkpoint) -> ProxyKeeper:
        template = ProxyConfig(
            id="",
            socket_dir=str(self._socket_dir()),
            secret=channel_secret(self._config.token),
            controller=self._address,
            options=self._config.http,
            pinned_port=checkpoint.http_port,
            grpc=self._config.grpc,
            pinned_grpc_port=checkpoint.grpc_port,
            tracing=self._config.tracing,
        )
        return ProxyKeeper(self._cluster, ProxyProcess, template)

    async def _fill_pool(self) -> None:
        if not self._pool.names():
            await self._pool.fill()
        await self._pool.keep_filled()

    async def _open_door(self) -> None:
        proxies = self._proxies
        if proxies.name:
            # It still looks for us, and what is deployed is not live before it knows.
            with contextlib.suppress(TimeoutError):
                await self._publisher.wait_for_subscriber(proxies.router, ADOPT_S)
            return
        if not self._config.http.has_proxy:
            await self._controller.remember(notes=no_proxy_notes(self._config))
            return
        await proxies.start()
        await self._publisher.wait_for_subscriber(proxies.router, _DOOR_S)
        notes = port_notes(self._config, proxies.port, proxies.grpc_port)
        if notes and not self._controller.checkpoint.http_port:
            await self._controller.remember(notes=notes)

    async def _serve_api(self, port: int | None) -> int:
        """Serve the control API; a restarted controller takes its old port again."""
        bound = socket.create_server((_LOOPBACK, port or 0))
        config = uvicorn.Config(
            make_app(self, self._config.token), log_level="warning", access_log=False
        )
        server = uvicorn.Server(config)
        self._spawn(server.serve(sockets=[bound]))
        return int(bound.getsockname()[1])

    def _http_url(self) -> str:
        return http_url(self._config, self._proxies.port)

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
