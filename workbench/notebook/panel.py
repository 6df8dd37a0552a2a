"""A live panel of one application in a cell's output.

`Panel` stands between the kernel's one feed and the views in pages: it sends what they
need while they are seen, and carries out what their buttons ask. Messages from pages
may come in any thread of the kernel, so all state is behind one lock.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import msgspec
from IPython.core.getipython import get_ipython

from workbench import api
from workbench.errors import InstanceError, WorkbenchError
from workbench.notebook.feed import Feed, Known, Source, kernel_feed, take_once
from workbench.notebook.history import sample_of, status_of
from workbench.notebook.panel_messages import (
    AwayMessage,
    DeleteOrder,
    DoneMessage,
    LeaveMessage,
    PageMessage,
    PanelMessage,
    ScaleOrder,
    WatchMessage,
)
from workbench.notebook.panel_view import panel_view
from workbench.notebook.views import Views
from workbench.spec.events import Event, HistoryEvent, SampleEvent, StatusEvent
from workbench.spec.status import ServeStatus

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from workbench.notebook.panel_widget import PanelWidget

__all__ = ["Backend", "Panel", "panel"]

_PATIENCE_S = 1.0
"""How long a cell may wait for the first figures before the panel is shown without."""
_FIRST_STEP = 4
_MANY = 32
"""Replicas; of more, five minutes would be megabytes at once, so that only news has them."""
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Backend(Source, Protocol):
    """The instance as a panel uses it: `workbench.api`, or a fake of it."""

    def scale(self, app: str, deployment: str, num_replicas: int) -> None: ...
    def delete(self, name: str) -> bool: ...


class Panel:
    """Live figures of one application; display it by leaving it on a cell's last line.

    Latency, requests, calls, replicas, CPU and memory of the last five minutes, twice a
    second, also while cells run. It measures nothing while no page shows it, and is
    gone with the output. Its buttons scale deployments and delete the application.
    """

    def __init__(
        self, app: str, *, backend: Backend = api, feed: Feed | None = None
    ) -> None:
        self.app = app
        self._backend = backend
        self._feed = feed or kernel_feed()
        self._views = Views()
        self._widget: PanelWidget | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.RLock()
        self._told_status: ServeStatus | None = None
        self._was_away = False

    def __repr__(self) -> str:
        state = "live" if self._views.are_watched else "not shown"
        return f"<Panel of {self.app!r}, {state}>"

    def figure(self) -> "go.Figure":
        """The charts as they are now, as a plotly figure that stays as it is.

        Raises:
            WorkbenchError: plotly is not installed, or the instance is away.
        """
        from workbench.notebook.figure import figure_of  # noqa: PLC0415 - needs plotly

        known = self._feed.known
        if not known.samples:
            known = take_once(self._backend)
        return figure_of(self.app, known.samples)

    def close(self) -> None:
        """Take the panel away, wherever it is shown."""
        with self._lock:
            widget, self._widget = self._widget, None
            self._views.clear()
        self._feed.leave(self)
        if widget is not None:
            widget.close()

    def take(self, news: Event | AwayMessage) -> None:
        """Pass news on to those who watch. The feed calls this, in its thread."""
        with self._lock:
            if not self._views.are_watched:
                return
            match news:
                case HistoryEvent():
                    self._tell(self._history())
                case SampleEvent(sample=sample):
                    self._tell(SampleEvent(sample=sample_of(self.app, sample)))
                case StatusEvent(status=status):
                    self._tell_status(status)
                case AwayMessage():
                    self._was_away = True
                    self._tell(news)

    def tick(self) -> None:
        """Count who has not been heard; by the kernel's own loop, which hears them.

        While a cell keeps that loop from hearing anybody, it counts nothing either.
        """
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the kernel ends
                self._loop.call_soon_threadsafe(self._count)

    def _count(self) -> None:
        with self._lock:
            self._views.tick()
        self._leave_if_alone()

    def _hear(self, message: PageMessage) -> None:
        """A view said something."""
        match message:
            case WatchMessage(view=view, is_visible=is_visible):
                with self._lock:
                    is_new = self._views.watch(view, is_visible=is_visible)
                self._feed.join(self)
                if is_new:
                    self._tell_all()
            case LeaveMessage(view=view):
                with self._lock:
                    self._views.leave(view)
                self._leave_if_alone()
            case ScaleOrder(order=order, deployment=deployment, num_replicas=count):
                self._carry_out(order, lambda: self._scale(deployment, count))
            case DeleteOrder(order=order):
                self._carry_out(order, self._delete)

    def _leave_if_alone(self) -> None:
        with self._lock:
            is_alone = self._views.are_gone
        if is_alone:
            self._feed.leave(self)

    def _tell_all(self) -> None:
        """What a view needs that sees the panel for the first time, or again."""
        with self._lock:
            known = self._feed.known
            if known.status is not None:
                self._told_status = None
                self._tell_status(known.status)
            if known.samples:
                self._tell(self._history())
            if known.away is not None:
                self._tell(known.away)

    def _tell_status(self, status: ServeStatus) -> None:
        """Also what changed of others comes as a new status; that is not for this one."""
        reduced = status_of(self.app, status)
        if reduced != self._told_status or self._was_away:
            self._told_status, self._was_away = reduced, False
            self._tell(StatusEvent(status=reduced))

    def _history(self) -> HistoryEvent:
        samples = [sample_of(self.app, one) for one in self._feed.known.samples]
        if samples and len(samples[-1].replicas) > _MANY:
            samples = [replace(one, replicas={}) for one in samples]
        return HistoryEvent(samples=tuple(samples))

    def _tell(self, message: PanelMessage) -> None:
        if self._widget is not None:
            self._widget.tell(message)

    def _carry_out(self, order: str, work: Callable[[], str]) -> None:
        """Do it in a thread of its own: the kernel's must not wait."""

        def act() -> None:
            try:
                done = DoneMessage(order=order, is_ok=True, text=work())
            except WorkbenchError as error:
                text = f"{error.message} {error.hint}".strip()
                done = DoneMessage(order=order, is_ok=False, text=text)
            except Exception as error:  # noqa: BLE001 - the reader of the panel should know
                text = f"{type(error).__name__}: {error}"
                done = DoneMessage(order=order, is_ok=False, text=text)
            with self._lock:
                self._tell(done)

        threading.Thread(target=act, name="workbench-order", daemon=True).start()

    def _scale(self, deployment: str, count: int) -> str:
        self._backend.scale(self.app, deployment, count)
        replicas = "1 replica" if count == 1 else f"{count} replicas"
        return f"{deployment} gets {replicas}."

    def _delete(self) -> str:
        was_there = self._backend.delete(self.app)
        return f"{self.app} {'is' if was_there else 'was already'} deleted."

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        """As much as the front end can show: a widget, a table, or text."""
        bundle: dict[str, object] = {}
        if not hasattr(get_ipython(), "kernel"):
            known, note = _look_once(self._backend), "Live in JupyterLab and VS Code."
        else:
            note = _missing()
            known = _look_once(self._backend) if note else self._show()
            note = note or "Live where the front end shows Jupyter widgets."
        if self._widget is not None:
            view = {"version_major": 2, "version_minor": 0}
            bundle[_WIDGET_VIEW] = {**view, "model_id": self._widget.model_id}
        return {**bundle, **panel_view(self.app, known, note).bundle}

    def _show(self) -> Known:
        """Make ready for a view that will come."""
        with suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
        with self._lock:
            self._views.expect()
        self._feed.join(self)
        self._feed.wait_until_known(_PATIENCE_S)
        known = self._feed.known
        with self._lock:
            if self._widget is None:
                self._widget = self._make_widget(known)
        return known

    def _make_widget(self, known: Known) -> "PanelWidget":
        from workbench.notebook.panel_widget import PanelWidget  # noqa: PLC0415 - needs anywidget

        status = status_of(self.app, known.status or ServeStatus())
        # Every fourth, up to the newest: a notebook may be saved with them.
        samples = known.samples[::-_FIRST_STEP][::-1]
        first = {
            "status": msgspec.to_builtins(status) if known.status else None,
            "samples": [
                msgspec.to_builtins(sample_of(self.app, one)) for one in samples
            ],
        }
        return PanelWidget(app=self.app, first=first, on_message=self._hear)


def panel(app: str = "default") -> Panel:
    """A live panel of one application."""
    return Panel(app)


def _look_once(backend: Source) -> Known:
    try:
        return take_once(backend)
    except InstanceError as error:
        return Known(away=AwayMessage(sentence=error.message, remedy=error.hint))


def _missing() -> str:
    """What keeps the panel from being live, as a sentence; empty if nothing does."""
    try:
        import_module("workbench.notebook.panel_widget")
    except ImportError:
        return (
            "For live plots: `%pip install anywidget`, then restart the kernel "
            "and reload the page."
        )
    except OSError as error:
        return f"The panel cannot be live: its script is missing ({error})."
    return ""
