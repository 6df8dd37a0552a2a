"""A replica's process: a warm shell that may become a replica.

`cluster` makes a Ray actor of `ReplicaProcess`. Its methods run on Ray's own thread, so
they answer even while user code holds up the I/O loop, which is a thread of its own
for sockets and async user code.
"""

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import pickle
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from workbench import handle
from workbench.cluster.fence import die_with_parent
from workbench.cluster.heap import keep_freed_memory
from workbench.code.exporter import load_processors
from workbench.code.services import offer_services
from workbench.errors import StartError
from workbench.loop import LoopThread
from workbench.observe.spans import Spans, start_tracing
from workbench.replica.access_log import AccessLog
from workbench.replica.call_span import CallSpans
from workbench.replica.checks import run_checks
from workbench.replica.environment import limit_threads
from workbench.replica.last_words import prepare_last_words
from workbench.replica.logs import ReplicaLogs
from workbench.replica.meter import ReplicaMeter
from workbench.replica.metrics import tell_metrics
from workbench.replica.multiplex import set_models_listener
from workbench.replica.replica import Replica
from workbench.replica.scaling_stats import ScalingStats
from workbench.replica.serve_log import ServeLog
from workbench.replica.server import ReplicaServer
from workbench.replica.threads import Threads
from workbench.replica.watchdog import Watchdog, patience_s
from workbench.request import set_trace_source
from workbench.routing.dispatch import Router
from workbench.routing.report import report
from workbench.spec.replica import (
    CheckRequest,
    Description,
    LoadRequest,
    Report,
    Seat,
    ShellConfig,
    Trouble,
)
from workbench.spec.tracing import TracingSpec
from workbench.wire.channel import Channel, Listener, listen
from workbench.wire.host import host_id
from workbench.wire.messages import Buffers, Command, Reported, Said

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["ReplicaProcess"]

# While user code holds the interpreter, a socket that has something waits this long for
# its turn: a call beside a busy thread takes 0.46 ms (p50), with Python's 5 ms 10.7 ms.
_SWITCH_S = 1e-4

# What user code is likely to need; imported while the shell waits, if installed.
_IMPORT_AHEAD = ("numpy", "pydantic.main", "fastapi")
# But not at once: who waits for a shell sits down in it before that, and what else an
# instance does as it starts, or a user who redeploys, has the processor meanwhile.
_UNWANTED_S = 2.0

_log = logging.getLogger("workbench.replica")
_STDOUT = Path("/proc/self/fd/1")
# For what a constructor said before it failed, if the controller is slow to be found.
_TELL_S = 2.0
# One whose report is lost with a channel is asked for again at once.
_STEPS_KEPT = 8


class ReplicaProcess:
    """What the controller talks to."""

    def __init__(self, config: ShellConfig) -> None:
        self._config = config
        self._io = LoopThread("replica-io")
        self._threads = Threads("user-code")
        self._server = ReplicaServer(self._io.loop, self._threads)
        set_models_listener(self._server.tell_models)
        self._replica = Replica(self._server, self._threads)
        self._logs = ReplicaLogs(self._io.loop, self._tell)
        self._serve_log = ServeLog()
        self._access_log = AccessLog(self._io.loop, self._tell)
        self._spans: Spans | None = None
        self._router: Router | None = None
        self._following: asyncio.Task[None] | None = None
        self._reporting: asyncio.Task[None] | None = None
        self._counting: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._listener: Listener | None = None
        self._is_wanted = asyncio.Event()
        self._imported: asyncio.Task[None] | None = None
        self._is_taken = False
        self._steps: dict[str, asyncio.Task[Report]] = {}
        """The last ones, by the ids of their commands."""
        self._answering: set[asyncio.Task[None]] = set()
        self._drained: Future[None] | None = None
        self._watchdog = Watchdog(
            self._io.loop, self._server.leftovers, self._patience_s
        )

    async def start(self) -> Description:
        """Open the sockets; the rest of the warming up goes on behind."""
        die_with_parent()
        keep_freed_memory()
        sys.setswitchinterval(_SWITCH_S)
        offer_services(self._config.services)
        self._io.start()
        await self._io.call(self._open())
        return await self.describe()

    async def obey(self, command_id: str, step: str, request: bytes) -> Report:
        """Take a step, unless that was begun by a command of the same id.

        The shorter way is the channel, see `_on_command`.
        """
        return await self._io.call(self._obey(command_id, step, request))

    async def check(self, request: CheckRequest) -> str:
        """Test another replica, as a shell; say why it failed, or nothing."""
        self._is_taken = True
        return await self._io.call(self._check(request))

    async def check_health(self) -> str:
        """Say why the replica is not well; empty if it is.

        Without a `check_health` of the user's it is well as long as this answers.
        """
        if not self._replica.has_health_check:
            return ""
        return await self._io.call(self._replica.check_health())

    async def drain(self, timeout_s: float) -> None:
        """Take no more calls, let those that run end, let the user's object go.

        Begun once, whoever asks: a controller may die while it waits for this, and the
        next one waits for the rest.
        """
        if self._drained is None:
            self._drained = self._io.submit(self._drain(timeout_s))
        await asyncio.shield(asyncio.wrap_future(self._drained))

    async def describe(self) -> Description:
        """Say who this is, also to a controller that has forgotten."""
        assert self._listener is not None
        seat = self._replica.seat
        return Description(
            id=self._config.id,
            pid=os.getpid(),
            host_id=host_id(),
            node_id=self._config.node_id,
            is_spare=self._config.is_spare and not self._is_taken,
            address=self._listener.address(host_id()),
            seat=seat,
            is_serving=seat is not None and not self._server.is_draining,
            is_draining=self._server.is_draining,
            ongoing=self._server.ongoing,
            log_path=_log_path(),
        )

    async def export_spans(self) -> None:
        """Let those leave that have ended; this process is about to."""
        if self._spans is not None:
            await asyncio.to_thread(self._spans.close)

    async def wait_until_stuck(self) -> Trouble:
        """Return once user code hangs in a way that only a new process can mend."""
        return await asyncio.shield(asyncio.wrap_future(self._watchdog.trouble))

    async def wait_forever(self) -> None:
        """Never return: a pending call is how the controller hears of our death."""
        await asyncio.Event().wait()

    # -- on the I/O loop ---------------------------------------------------------------

    async def _open(self) -> None:
        config = self._config
        loop = asyncio.get_running_loop()
        self._listener = await listen(
            self._server,
            path=Path(config.socket_dir) / f"{config.id}.sock",
            host=config.host,
            secret=config.secret,
        )
        router = Router(name=config.id, secret=config.secret, host_id=host_id())
        router.on_command = self._on_command
        handle.set_runtime(router, loop)
        self._router = router
        self._following = asyncio.create_task(router.follow(config.controller))
        stats = ScalingStats(self._replica.find_scaling_hook, self._threads)
        self._asking = asyncio.create_task(stats.keep_asking())
        meter = ReplicaMeter(self._replica, self._server, stats)
        self._reporting = asyncio.create_task(report(router, replica=meter.measure))
        self._counting = asyncio.create_task(tell_metrics(router.tell))
        self._imported = asyncio.create_task(self._import_ahead())

    async def _import_ahead(self) -> None:
        """Until somebody sits down, who gets what is being imported to its end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_UNWANTED_S):
                await self._is_wanted.wait()
        await self._threads.start(lambda: _import_until(self._is_wanted)).wait()

    def _on_command(self, channel: Channel, command: Command, buffers: Buffers) -> None:
        answering = asyncio.create_task(
            self._answer(channel, command, bytes(buffers[0]))
        )
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def _answer(self, channel: Channel, command: Command, request: bytes) -> None:
        report = await self._obey(command.id, command.step, request)
        # A traceback may quote what is no Unicode, which cannot travel as text.
        error = report.error.encode(errors="backslashreplace").decode()
        channel.send(Reported(command.id, error, report.refused, report.took_s))

    async def _obey(self, command_id: str, step: str, request: bytes) -> Report:
        if command_id not in self._steps:
            self._steps[command_id] = asyncio.create_task(self._take(step, request))
            for old in list(self._steps)[:-_STEPS_KEPT]:
                del self._steps[old]
        return await asyncio.shield(self._steps[command_id])

    async def _take(self, step: str, request: bytes) -> Report:
        try:
            asked = pickle.loads(request)  # noqa: S301 - the sender knows the secret
            match step:
                case "load":
                    self._is_taken = True
                    return await self._load(asked)
                case "keep":
                    return await self._update(self._replica.keep(asked))
                case "reconfigure":
                    return await self._update(self._replica.reconfigure(asked))
                case _:
                    return await self._replica.stand(asked)
        except Exception as error:  # noqa: BLE001 - else nobody would be told
            _log.exception("A replica could not %s", step)
            return Report(error=f"{type(error).__name__}: {error}")

    async def _sit_down(self) -> None:
        """What is here from now on is user code: two imports at once may lock up."""
        assert self._imported is not None
        self._is_wanted.set()
        await self._imported

    async def _load(self, request: LoadRequest) -> Report:
        await self._sit_down()
        prepare_last_words(Path(self._config.socket_dir) / f"{self._config.id}.last")
        self._watchdog.begin()
        self._listen_to(request.seat)
        if (tracing := self._config.tracing) is not None:
            await asyncio.to_thread(self._start_tracing, tracing, request.seat)
        report = await self._replica.load(request)
        if report.error and not self._logs.push():
            # This process is ended now; a new one may not have its channel yet.
            assert self._router is not None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TELL_S):
                    await self._router.wait_until_ready()
            self._logs.push()
        return report

    def _patience_s(self) -> float | None:
        """How long user code may hang; None while there is none that serves."""
        seat = self._replica.seat
        if seat is None or self._server.is_draining:
            return None
        longest_s = self._server.longest_ns / 1e9
        return patience_s(seat.options.health_check_timeout_s, longest_s)

    async def _check(self, request: CheckRequest) -> str:
        await self._sit_down()
        name = f"{self._config.id}-check"
        router = Router(name=name, secret=self._config.secret, host_id=host_id())
        return await run_checks(request, router, self._threads)

    async def _update(self, step: Coroutine[Any, Any, Report]) -> Report:
        report = await step
        if (seat := self._replica.seat) is not None:
            self._listen_to(seat)
        return report

    def _start_tracing(self, tracing: TracingSpec, seat: Seat) -> None:
        """Make spans, from before user code is loaded; where it fails all else goes on."""
        name = quote(f"{seat.app}_{seat.deployment}_{seat.replica_id}", safe="")
        try:
            processors = load_processors(tracing, name)
            spans = start_tracing(processors, tracing.sampling_ratio)
        except (ImportError, OSError, StartError) as error:
            _log.error("No spans of this replica are exported: %s", error)
            return
        self._spans = spans
        self._server.spans = CallSpans(spans, seat)
        set_trace_source(spans.trace_of_now)

    def _listen_to(self, seat: Seat) -> None:
        """Hear what this replica says, in the way that its options ask for."""
        self._logs.begin(seat)
        spec = self._serve_log.follow(seat)
        self._access_log.begin(seat, self._serve_log.file)
        wanted = self._access_log if spec.enable_access_log else None
        self._server.access_log = wanted

    async def _drain(self, timeout_s: float) -> None:
        await self._replica.drain(timeout_s)
        self._access_log.push()
        self._logs.end()
        self._watchdog.end()
        self._serve_log.end()
        await self.export_spans()
        telling = (self._asking, self._reporting, self._counting, self._following)
        for task in telling:
            if task is not None:
                task.cancel()
        if self._router is not None:
            await self._router.close()
        if self._listener is not None:
            await self._listener.close()
        self._threads.stop()

    def _tell(self, said: Said) -> bool:
        return self._router is not None and self._router.tell(said)


def _import_until(is_wanted: asyncio.Event) -> None:
    for name in _IMPORT_AHEAD:
        if is_wanted.is_set():
            return
        # User code that needs one that is missing will hear of it.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    limit_threads(None)
    # What a shell has loaded stays for good. Left to the collector, looking through it
    # again and again would take 28-52 ms each time.
    gc.collect()
    gc.freeze()


def _log_path() -> str:
    """The file that Ray has made of our standard output; empty where it is unknown."""
    path = str(_STDOUT.readlink()) if _STDOUT.is_symlink() else ""
    return path if path.startswith("/") else ""
