"""The life of one replica: loaded, updated in place, asked for its health, drained.

Lives on the I/O loop; `process` calls it from Ray's thread. Each step reports in words
what went wrong and then leaves things as they were. Steps never overlap.
"""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from workbench.code.exceptions import traceback_text
from workbench.code.load import load_code
from workbench.replica.build import build, enter, run_hook
from workbench.replica.context import ReplicaContext, set_replica_context
from workbench.replica.environment import take_seat
from workbench.replica.ingress import let_go_of_old_routes
from workbench.replica.lifespan import Lifespan
from workbench.replica.reconfigure import reconfigure, takes_rank
from workbench.replica.server import ReplicaServer
from workbench.replica.swap import reason_not_to_keep, take_over
from workbench.replica.threads import Threads
from workbench.replica.user_code import UserCode
from workbench.spec.deployment import Kind
from workbench.spec.ranks import Standing
from workbench.spec.replica import LoadRequest, Report, Seat

__all__ = ["Replica"]

logger = logging.getLogger(__name__)

# A destructor that hangs must not keep the process from ending in time.
_DESTRUCTOR_S = 3.0
# One collection holds the process up for 30-50 ms: several redeploys share one.
_COLLECT_AFTER_S = 1.0


class Replica:
    """User code in this process, and its place in the application."""

    def __init__(self, server: ReplicaServer, threads: Threads) -> None:
        self.seat: Seat | None = None
        """None while this is a warm shell."""
        self._server = server
        self._threads = threads
        self._code: UserCode | None = None
        self._step = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self._will_collect = False

    async def load(self, request: LoadRequest) -> Report:
        """Become a replica."""
        return await self._report(self._load(request))

    async def keep(self, request: LoadRequest) -> Report:
        """Let new code take over the living instance."""
        return await self._report(self._keep(request))

    async def reconfigure(self, seat: Seat) -> Report:
        """Take over new options and user_config; code and instance stay."""
        return await self._report(self._reconfigure(seat))

    async def stand(self, standing: Standing) -> Report:
        """Take over another number among the replicas of the deployment."""
        return await self._report(self._stand(standing))

    @property
    def has_health_check(self) -> bool:
        """Whether the user's class says by itself how it is."""
        return self._code is not None and hasattr(self._code.servable, "check_health")

    async def check_health(self) -> str:
        """Ask the user's `check_health`; empty is well, else why not."""
        if self._code is None:
            return ""
        try:
            await self._run_health_check(self._code)
        except Exception as error:  # noqa: BLE001 - it is the answer
            return f"check_health raised {type(error).__name__}: {error}"
        return ""

    def find_scaling_hook(self) -> Callable[[], Any] | None:
        """The user's `record_autoscaling_stats`, if anybody goes by what it says."""
        seat, code = self.seat, self._code
        if seat is None or code is None or seat.options.autoscaling_config is None:
            return None
        return getattr(code.servable, "record_autoscaling_stats", None)

    async def drain(self, timeout_s: float) -> None:
        """Let running calls end, then the user's object."""
        await self._server.drain(timeout_s)
        code, self._code = self._code, None
        if code is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DESTRUCTOR_S):
                if code.lifespan is not None:
                    await code.lifespan.stop()
                await self._destroy(code)

    # -- steps: what each returns is why it was refused --------------------------------

    async def _report(self, step: Coroutine[Any, Any, str]) -> Report:
        start = time.perf_counter()
        error = refused = ""
        async with self._step:
            try:
                refused = await step
            except asyncio.CancelledError:
                raise
            except BaseException as raised:  # noqa: BLE001 - SystemExit is no reason to go
                error = traceback_text(raised)
                logger.error("It did not come up.\n%s", error.rstrip())  # noqa: TRY400 - ours has the user's frames only
        took_s = time.perf_counter() - start
        return Report(error=error, refused=refused, took_s=took_s)

    async def _load(self, request: LoadRequest) -> str:
        seat = request.seat
        take_seat(seat)
        self._introduce(seat, None)
        code = await build(
            request, self._threads, lambda made: self._introduce(seat, made)
        )
        await reconfigure(code.servable, seat, self._threads)
        await self._run_health_check(code)
        self._serve(seat, code)
        # It stays for good: no garbage collection needs to look through it again.
        gc.freeze()
        return ""

    async def _keep(self, request: LoadRequest) -> str:
        old, seat = self._code, request.seat
        if old is None or self.seat is None:
            return "nothing is loaded"
        loading = self._threads.start(lambda: load_code(request.code))
        target: Any = await loading.wait()
        reason = reason_not_to_keep(
            (old.kind, old.target), (seat.kind, target), old.servable
        )
        if reason:
            return reason
        servable = target
        if isinstance(target, type):
            servable = take_over(old.servable, target)
        self._introduce(seat, servable)
        try:
            code = await enter(seat.kind, target, servable, self._threads)
            # New methods may ask for the rank that the old ones did without.
            is_known = takes_rank(servable) == takes_rank(old.servable)
            before = self.seat if is_known else None
            await reconfigure(servable, seat, self._threads, before)
            await self._run_health_check(code)
        except BaseException:
            self._introduce(self.seat, old.servable)
            raise
        self._serve(seat, code)
        self._retire(old)
        return ""

    async def _reconfigure(self, seat: Seat) -> str:
        if self._code is None or self.seat is None:
            return "nothing is loaded"
        await reconfigure(self._code.servable, seat, self._threads, self.seat)
        self._serve(seat, self._code)
        return ""

    async def _stand(self, standing: Standing) -> str:
        if self._code is None or self.seat is None:
            return "nothing is loaded"
        before, servable = self.seat, self._code.servable
        self.seat = replace(before, standing=standing)
        self._introduce(self.seat, servable)
        await reconfigure(servable, self.seat, self._threads, before)
        return ""

    # -- parts of them -----------------------------------------------------------------

    def _introduce(self, seat: Seat, servable: object) -> None:
        """Let user code know where it runs."""
        set_replica_context(
            ReplicaContext(
                app_name=seat.app,
                deployment=seat.deployment,
                replica_tag=f"{seat.app}#{seat.deployment}#{seat.replica_id}",
                replica_id=seat.replica_id,
                servable_object=servable,
                rank=seat.standing.rank,
                world_size=seat.standing.world_size,
                code_version=seat.version.code,
            )
        )

    def _serve(self, seat: Seat, code: UserCode) -> None:
        """From here on calls are run with this."""
        self.seat = seat
        self._code = code
        self._introduce(seat, code.servable)
        self._server.serve(code, seat.app)
        self._server.resize(seat.options.max_ongoing_requests)

    async def _run_health_check(self, code: UserCode) -> None:
        hook = getattr(code.servable, "check_health", None)
        if hook is not None:
            await run_hook(hook, self._threads)

    def _retire(self, old: UserCode) -> None:
        """Once the calls that it runs are over, shut it down and free what it holds."""
        running = self._server.running_tasks()
        task = asyncio.create_task(_stop_after(running, old.lifespan))
        self._retiring.add(task)
        task.add_done_callback(self._on_retired)

    def _on_retired(self, task: asyncio.Task[None]) -> None:
        self._retiring.discard(task)
        if not self._will_collect:
            self._will_collect = True
            asyncio.get_running_loop().call_later(_COLLECT_AFTER_S, self._collect)

    def _collect(self) -> None:
        self._will_collect = False
        if self._code is None:
            return  # it is leaving, with all it holds
        # In a thread: it may run the user's destructors.
        self._threads.start(_free_garbage)

    async def _destroy(self, code: UserCode) -> None:
        """Run the user's `__del__` now, and not again when the object is freed."""
        hook = getattr(code.servable, "__del__", None)
        if hook is None or code.kind is Kind.FUNCTION:
            return
        try:
            await run_hook(hook, self._threads)
        except Exception:
            logger.exception("%s.__del__ raised.", code.target.__name__)
        finally:
            code.target.__del__ = lambda _self: None  # type: ignore[attr-defined]


async def _stop_after(
    running: set[asyncio.Task[None]], lifespan: Lifespan | None
) -> None:
    if running:
        await asyncio.wait(running)
    if lifespan is not None:
        await lifespan.stop()


def _free_garbage() -> None:
    """Free old code, which is all cycles: classes, their functions, and the globals.

    It was frozen when it was loaded, and would otherwise stay for good, with all that
    the globals of its cell hold.
    """
    let_go_of_old_routes()
    gc.unfreeze()
    gc.collect()
    gc.freeze()
