"""Applications in the caller's own process, for quick tests of user code: no Ray.

Every deployment gets a real replica server, and one real router calls them over real
sockets, so composition, limits, queues, streams, batches and errors are what they are
in an instance. What is left out are processes, HTTP, and what belongs to them: one
replica each, no resources, no `runtime_env`. Code is not shipped: breakpoints work.
"""

import asyncio
import inspect
import secrets
import shutil
import tempfile
from contextvars import copy_context
from pathlib import Path
from typing import Any

from workbench.build import Build, build
from workbench.code.exceptions import traceback_text
from workbench.code.load import load_args
from workbench.deployment import Application, Deployment
from workbench.errors import ConstructorError
from workbench.handle import DeploymentHandle, set_local_runtime
from workbench.loop import LoopThread
from workbench.replica.build import enter, run_hook
from workbench.replica.context import ReplicaContext, here
from workbench.replica.reconfigure import reconfigure
from workbench.replica.running import Running
from workbench.replica.server import ReplicaServer
from workbench.replica.threads import Threads
from workbench.replica.user_code import UserCode
from workbench.request import Extras
from workbench.routing.dispatch import Router
from workbench.sent_call import Runtime
from workbench.spec.deployment import DeploymentSpec, Kind
from workbench.spec.replica import Seat
from workbench.spec.table import DeploymentEntry, ReplicaEntry, Table
from workbench.wire.channel import Listener, listen
from workbench.wire.host import host_id

__all__ = ["delete_local", "local_applications", "run_local"]

_LOOPBACK = "127.0.0.1"
_END_S = 30.0

_running: "dict[str, _LocalApplication]" = {}


def run_local(target: Application, name: str = "default") -> DeploymentHandle:
    """Run an application in this process and return a handle to it.

    The same name again replaces it.

    Raises:
        ConstructorError: a constructor raised; the message is its traceback.
        ShippingError: something could not travel to a real replica.
    """
    delete_local(name)
    made = build(target, name=name, route_prefix=None, root=Path.cwd())
    application = _LocalApplication(name)
    try:
        application.start(made)
    except BaseException:
        application.stop()
        raise
    _running[name] = application
    return DeploymentHandle(made.request.application.ingress, name)


def delete_local(name: str) -> bool:
    """End an application of this process; False if there is none of that name."""
    application = _running.pop(name, None)
    if application is None:
        return False
    application.stop()
    return True


def local_applications() -> list[str]:
    """Names of the applications in this process."""
    return list(_running)


class _LocalApplication:
    """The deployments of one application, all on one loop in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread = LoopThread(f"workbench-local-{name}").start()
        self._directory = Path(tempfile.mkdtemp(prefix="wb-local-"))
        self._secret = secrets.token_bytes(32)
        self._router: Router
        self._replicas: list[_LocalReplica] = []

    def start(self, made: Build) -> None:
        self._thread.submit(self._start(made)).result()

    def stop(self) -> None:
        set_local_runtime(self._name, None)
        self._thread.submit(self._stop()).result(_END_S)
        self._thread.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _start(self, made: Build) -> None:
        loop = asyncio.get_running_loop()
        self._router = Router(name="local", secret=self._secret, host_id=host_id())
        set_local_runtime(self._name, Runtime(self._router, loop))
        # The last ones found are those that the others hold handles to.
        for spec in reversed(made.request.application.deployments):
            replica = _LocalReplica(self._name, spec, made.bound[spec.name].deployment)
            self._replicas.append(replica)
            path = self._directory / f"{len(self._replicas)}.sock"
            await replica.start(made.request.blobs[spec.args], path, self._secret)
            entries = tuple(each.entry() for each in self._replicas)
            table = Table(
                version=len(self._replicas),
                deployments=entries,
                ingresses={self._name: f"{self._name}#{spec.name}"},
            )
            self._router.update(table)

    async def _stop(self) -> None:
        for replica in reversed(self._replicas):
            await replica.stop()
        if hasattr(self, "_router"):
            await self._router.close()


class _Server(ReplicaServer):
    """A replica's server that says to each call which replica it is."""

    context: ReplicaContext

    def _start(
        self, running: Running, code: UserCode, route: str, extras: Extras | None
    ) -> None:
        token = here.set(self.context)
        try:
            super()._start(running, code, route, extras)
        finally:
            here.reset(token)


class _LocalReplica:
    """One deployment: its object, and the server that calls it."""

    def __init__(self, app: str, spec: DeploymentSpec, made_from: Deployment) -> None:
        self._app = app
        self._spec = spec
        self._target: Any = made_from.func_or_class
        self._threads = Threads(f"{app}-{spec.name}")
        self._server = _Server(asyncio.get_running_loop(), self._threads)
        self._listener: Listener | None = None
        self._code: UserCode | None = None

    async def start(self, args: bytes, path: Path, secret: bytes) -> None:
        # A task of its own: what it learns of its place is nobody else's business.
        work = asyncio.create_task(self._load(args), context=copy_context())
        try:
            await work
        except Exception as error:
            msg = f"{self._spec.name}: {traceback_text(error)}"
            raise ConstructorError(msg) from error
        self._server.resize(self._spec.options.max_ongoing_requests)
        self._listener = await listen(
            self._server, path=path, host=_LOOPBACK, secret=secret
        )

    async def stop(self) -> None:
        await self._server.drain(0.0)
        if self._code is not None and self._code.lifespan is not None:
            await self._code.lifespan.stop()
        if self._listener is not None:
            await self._listener.close()
        self._threads.stop()

    def entry(self) -> DeploymentEntry:
        """How the router sees it."""
        assert self._listener is not None
        options = self._spec.options
        address = self._listener.address(host_id())
        return DeploymentEntry(
            app=self._app,
            name=self._spec.name,
            max_ongoing_requests=options.max_ongoing_requests,
            max_queued_requests=options.max_queued_requests,
            replicas=(ReplicaEntry(id=self._spec.name, address=address),),
            routing=options.request_router_config,
            backpressure=options.backpressure_config,
            request_timeout_s=options.request_timeout_s,
        )

    async def _load(self, args: bytes) -> None:
        self._introduce(None)
        servable = await self._construct(args)
        self._introduce(servable)
        self._code = await enter(self._spec.kind, self._target, servable, self._threads)
        await reconfigure(servable, self._seat(), self._threads)
        hook = getattr(servable, "check_health", None)
        if hook is not None:
            await run_hook(hook, self._threads)
        self._server.serve(self._code, self._app)

    async def _construct(self, args: bytes) -> object:
        if self._spec.kind is Kind.FUNCTION:
            return self._target
        # Through the pickle and back, as they would arrive in a real replica.
        positional, named = load_args(args)
        if inspect.iscoroutinefunction(self._target.__init__):
            instance = self._target.__new__(self._target, *positional, **named)
            await instance.__init__(*positional, **named)
            return instance
        return await self._threads.start(
            lambda: self._target(*positional, **named)
        ).wait()

    def _introduce(self, servable: object) -> None:
        name = self._spec.name
        self._server.context = ReplicaContext(
            app_name=self._app,
            deployment=name,
            replica_tag=f"{self._app}#{name}#local",
            replica_id="local",
            servable_object=servable,
            code_version=self._spec.version.code,
        )
        here.set(self._server.context)

    def _seat(self) -> Seat:
        return Seat(
            app=self._app,
            deployment=self._spec.name,
            kind=self._spec.kind,
            options=self._spec.options,
            version=self._spec.version,
        )
