"""One thread of the kernel that follows the instance for all panels.

Panels join and leave; the first starts the thread, and it ends when none is left. It
holds no lock while it tells a panel something, and no cell ever waits for it.
"""

import logging
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

from workbench import api
from workbench.errors import WorkbenchError
from workbench.notebook.history import History
from workbench.notebook.panel_messages import AwayMessage
from workbench.spec.events import Event, HistoryEvent, SampleEvent, StatusEvent
from workbench.spec.metrics import Sample
from workbench.spec.status import ServeStatus

__all__ = ["Feed", "Known", "Listener", "Source", "kernel_feed", "take_once"]

_log = logging.getLogger(__name__)

_PAUSES_S = (0.2, 0.5, 1.0, 2.0)
"""Before trying again; the last one from then on."""
_TICK_S = 10.0


class Source(Protocol):
    """Where events come from: `workbench.api`, or a fake of it."""

    def events(self) -> Generator[Event, None, None]: ...


class Listener(Protocol):
    """A panel, as the feed sees it; called in the feed's thread."""

    def take(self, news: Event | AwayMessage) -> None:
        """Something happened."""

    def tick(self) -> None:
        """Another ten seconds have passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a feed knows at one moment."""

    status: ServeStatus | None = None
    samples: Sequence[Sample] = field(default=(), repr=False)
    away: AwayMessage | None = None


class Feed:
    """Follows `source` while somebody listens."""

    def __init__(
        self, source: Source, *, pauses_s: Sequence[float] = _PAUSES_S
    ) -> None:
        self._source = source
        self._pauses_s = pauses_s
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()
        self._knows = threading.Event()
        self._history = History()
        self._status: ServeStatus | None = None
        self._away: AwayMessage | None = None
        self._ticked_at = 0.0

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None

    @property
    def known(self) -> Known:
        """The newest status, the last minutes, and why nothing comes, if so."""
        with self._lock:
            return Known(
                status=self._status, samples=self._history.samples, away=self._away
            )

    def join(self, listener: Listener) -> None:
        """Tell `listener` from now on what happens; again is no harm."""
        with self._lock:
            if listener not in self._listeners:
                self._listeners.append(listener)
            self._woken.set()
            if self._thread is None:
                self._knows.clear()
                self._thread = threading.Thread(
                    target=self._run, name="workbench-feed", daemon=True
                )
                self._thread.start()

    def leave(self, listener: Listener) -> None:
        """Tell it nothing more."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
            self._woken.set()

    def wait_until_known(self, timeout_s: float) -> bool:
        """Wait until there is something to show, or why there is not."""
        return self._knows.wait(timeout_s)

    def _run(self) -> None:
        attempt = 0
        while self._is_wanted():
            before = self._history.newest_at_s
            away = self._follow()
            attempt = 0 if self._history.newest_at_s != before else attempt + 1
            if away is not None:
                self._take(away)
                self._woken.clear()
                pause_s = self._pauses_s[min(attempt, len(self._pauses_s) - 1)]
                self._woken.wait(pause_s)

    def _follow(self) -> AwayMessage | None:
        """Take events until nobody wants them (None), or for a reason until none come."""
        try:
            with closing(self._source.events()) as events:
                for event in events:
                    self._take(event)
                    if not self._has_listeners():
                        return None
        except WorkbenchError as error:
            return AwayMessage(sentence=error.message, remedy=error.hint)
        except Exception as error:  # noqa: BLE001 - shown in the panel, and tried again
            said = f"{type(error).__name__}: {error}"
            return AwayMessage(sentence=said, remedy="Trying again.")
        said = "The instance ended its stream of measurements."
        return AwayMessage(sentence=said, remedy="Trying again.")

    def _has_listeners(self) -> bool:
        with self._lock:
            return bool(self._listeners)

    def _is_wanted(self) -> bool:
        """Whether anybody listens; if not, the thread is over from this moment on."""
        with self._lock:
            if self._listeners:
                return True
            self._thread = None
            self._status = self._away = None
            self._history.clear()
            return False

    def _take(self, news: Event | AwayMessage) -> None:
        with self._lock:
            self._remember(news)
            listeners = tuple(self._listeners)
            is_tick = time.monotonic() - self._ticked_at >= _TICK_S
            if is_tick:
                self._ticked_at = time.monotonic()
        for listener in listeners:
            self._tell(listener, news, is_tick=is_tick)
        if not isinstance(news, StatusEvent):  # history follows it at once
            self._knows.set()

    def _tell(
        self, listener: Listener, news: Event | AwayMessage, *, is_tick: bool
    ) -> None:
        """A panel that cannot be told, its kernel ending, is told nothing more."""
        try:
            listener.take(news)
            if is_tick:
                listener.tick()
        except Exception:  # noqa: BLE001 - whatever its comm raises
            _log.warning("A panel is not fed any more.", exc_info=True)
            self.leave(listener)

    def _remember(self, news: Event | AwayMessage) -> None:
        match news:
            case StatusEvent(status=status):
                if self._is_another(status):
                    self._history.clear()
                self._status, self._away = status, None
            case HistoryEvent(samples=samples):
                self._history.merge(samples)
            case SampleEvent(sample=sample):
                self._history.push(sample)
            case AwayMessage():
                self._away = news

    def _is_another(self, status: ServeStatus) -> bool:
        """Whether this comes from another instance than what came before."""
        before = self._status.instance if self._status else None
        now = status.instance
        return before is not None and now is not None and before.id != now.id


def take_once(source: Source) -> Known:
    """The status and the history, for those who look once.

    Raises:
        InstanceError: nothing runs, or it does not answer.
    """
    status: ServeStatus | None = None
    with closing(source.events()) as events:
        for event in events:
            if isinstance(event, StatusEvent):
                status = event.status
            elif isinstance(event, HistoryEvent):
                return Known(status=status, samples=event.samples)
    return Known(status=status)


_kernel_feed: Feed | None = None
_making = threading.Lock()


def kernel_feed() -> Feed:
    """The one feed of this process, on the instance that it uses."""
    global _kernel_feed  # noqa: PLW0603 - one thread a kernel, whatever the number of panels
    with _making:
        if _kernel_feed is None:
            _kernel_feed = Feed(api)
        return _kernel_feed
