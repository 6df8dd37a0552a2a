"""Starting an embedded instance from the sidebar: one at a time, off the event loop."""

import asyncio
import importlib.util
import threading
from collections.abc import Callable
from contextlib import suppress

from workbench.errors import WorkbenchError
from workbench.settings import Settings
from workbench.sidebar.refusal import RefusedError
from workbench.spec.http import HTTPOptions
from workbench.start import Started, start_instance

__all__ = ["Starter"]


class Starter:
    """Whoever asks while a start goes on waits for that one."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._running: asyncio.Future[Started] | None = None

    async def start(self) -> Started:
        """Start an instance, or wait for the one that is being started.

        Raises:
            RefusedError: it did not come up.
        """
        if self._running is None:
            self._running = self._begin()
        # A page that goes away ends its own wait, not the start.
        return await asyncio.shield(self._running)

    def _begin(self) -> "asyncio.Future[Started]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Started] = loop.create_future()
        future.add_done_callback(self._end)
        self._announce("starting an instance")

        def tell(call: Callable[..., object], *args: object) -> None:
            with suppress(RuntimeError):  # the server has ended: nobody is left to tell
                loop.call_soon_threadsafe(call, *args)

        def run() -> None:
            try:
                started = _launch(lambda text: tell(self._announce, text))
            except RefusedError as error:
                tell(_fail, future, error)
            except WorkbenchError as error:
                refused = RefusedError(500, error.message, error.hint)
                tell(_fail, future, refused)
            except Exception as error:  # noqa: BLE001 - the page waits for an answer
                msg = f"The start failed: {type(error).__name__}: {error}"
                remedy = "Run `workbench up` in a terminal to see more."
                tell(_fail, future, RefusedError(500, msg, remedy))
            else:
                tell(_finish, future, started)

        # A daemon, so that a start that hangs does not hold up the server's end.
        threading.Thread(target=run, name="workbench-start", daemon=True).start()
        return future

    def _end(self, future: "asyncio.Future[Started]") -> None:
        self._running = None
        self._announce("")
        if not future.cancelled():
            future.exception()  # seen, also when every page has gone away


def _finish(future: "asyncio.Future[Started]", started: Started) -> None:
    if not future.done():
        future.set_result(started)


def _fail(future: "asyncio.Future[Started]", error: RefusedError) -> None:
    if not future.done():
        future.set_exception(error)


def _launch(on_progress: Callable[[str], None]) -> Started:
    """As `workbench up` does; blocks."""
    if importlib.util.find_spec("ray") is None:
        msg = "Jupyter's server runs in an environment without Ray."
        remedy = "Run a `%%serve` cell in a notebook whose kernel has it."
        raise RefusedError(501, msg, remedy)
    try:
        settings = Settings.from_environment()
    except ValueError as error:
        remedy = "Change it where Jupyter's server was started, and restart it."
        raise RefusedError(500, str(error), remedy) from None
    return start_instance(
        settings,
        http=HTTPOptions(host=settings.http_host, port=settings.http_port),
        keep=True,
        ray_address=settings.ray_address,
        on_progress=on_progress,
    )
