"""One deploy from a cell: what is asked of the API, and the card that follows it.

Called by `magics`. Events may come on any thread. However the deploy ends, the card
says in the end what is true.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from workbench.deployment import Application
from workbench.notebook.backend import Backend, Deployed
from workbench.notebook.card import Card, Phase
from workbench.notebook.card_view import card_view
from workbench.notebook.display import Screen
from workbench.notebook.tracebacks import show_only
from workbench.spec.application import Owner
from workbench.spec.gate import Gate
from workbench.spec.http import NO_HTTP
from workbench.spec.status import (
    ApplicationStatus,
    ApplicationStatusOverview,
    DeployEvent,
    ServeStatus,
)

__all__ = [
    "LiveCard",
    "Wishes",
    "choose_route",
    "deploy_and_show",
    "roll_back_and_show",
]

# How often the screen may change, and how often at least, for the time to go on.
_PAUSE_S = 0.1
_TICK_S = 0.5
_GOES_ON = "`%serve status` shows how it goes on."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the line of a `%%serve` cell asks for."""

    name: str
    route: str | None
    """None: as before, else the first that is free of `/` and `/name`."""
    replicas: int | None
    is_fresh: bool
    waits: bool
    variable: str | None
    owner: Owner
    gate: Gate = field(default_factory=Gate)


def deploy_and_show(
    backend: Backend, application: Application, wishes: Wishes, screen: Screen
) -> Deployed:
    """Deploy, with a card on `screen` that follows it.

    Raises:
        WorkbenchError: it did not come up; the error has the user's traceback.
        KeyboardInterrupt: the reader stopped waiting; the instance goes on.
    """
    before = backend.status()
    route, note = choose_route(wishes, before)
    with LiveCard(_first_card(application, wishes, before, note), screen) as card:
        return _deploy(backend, application, wishes, route=route, card=card)


def _deploy(
    backend: Backend,
    application: Application,
    wishes: Wishes,
    *,
    route: str,
    card: "LiveCard",
) -> Deployed:
    try:
        deployed = backend.deploy(
            _scaled(application, wishes.replicas),
            name=wishes.name,
            route_prefix=route,
            may_keep=not wishes.is_fresh,
            wait=wishes.waits,
            keep_instance=True,
            owner=wishes.owner,
            gate=wishes.gate,
            on_event=card.on_event,
            on_progress=card.on_progress,
        )
    except KeyboardInterrupt as interrupt:
        show_only(interrupt, card.interrupted())
        raise
    except Exception:
        card.failed()
        raise
    # Only a start can bring news (a busy port): no second question otherwise.
    instance = backend.status().instance if card.has_started_instance else None
    news = instance.notes if instance is not None else ()
    card.deployed(deployed, *news, is_live=wishes.waits)
    return deployed


def roll_back_and_show(
    backend: Backend,
    name: str,
    version: str | None,
    *,
    before: ServeStatus,
    screen: Screen,
) -> object:
    """Deploy an earlier version, with a card that follows it; gives the handle.

    Raises:
        WorkbenchError: there is no such version, or it did not come up.
        KeyboardInterrupt: the reader stopped waiting; the instance goes on.
    """
    first = Card(
        name=name,
        by_handle=f'serve.get_app_handle("{name}").remote(...)',
        phase=Phase.SHIPPING,
        serves_still=_is_running(before.applications.get(name)),
    )
    with LiveCard(first, screen) as card:
        try:
            deployed = backend.rollback(name, version, on_event=card.on_event)
        except KeyboardInterrupt as interrupt:
            show_only(interrupt, card.interrupted())
            raise
        except Exception:
            card.failed()
            raise
        card.deployed(deployed, is_live=True)
        return deployed.handle


def choose_route(wishes: Wishes, before: ServeStatus) -> tuple[str, str]:
    """The URL prefix to ask for, and what to say of the choice."""
    if wishes.route is not None:
        return wishes.route, ""
    same = before.applications.get(wishes.name)
    if same is not None and same.route_prefix is not None:
        return same.route_prefix, ""
    for name, other in before.applications.items():
        if other.route_prefix == "/":
            return f"/{wishes.name}", (
                f"`/` belongs to {name}, so this is at `/{wishes.name}`; "
                "`--route` chooses another."
            )
    return "/", ""


class LiveCard:
    """A card on a screen, changed by what happens, ten times a second at most.

    A context: while it is open, a thread shows what came too fast to be shown at once,
    and the time that goes by.
    """

    def __init__(
        self, card: Card, screen: Screen, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._card = card
        self._screen = screen
        self._clock = clock
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._began_s = clock()
        self._shown_s = self._began_s
        self._is_shown = True
        # When the controller took the deploy, on our clock; known by the first event.
        self._taken_s: float | None = None
        screen.update(card_view(card), is_last=False)

    def __enter__(self) -> Self:
        threading.Thread(target=self._tick, name="workbench-card", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    @property
    def has_started_instance(self) -> bool:
        """Whether there was none before this deploy."""
        return bool(self._card.progress)

    def on_event(self, event: DeployEvent) -> None:
        """Take in one event; the last one is shown by `end`, with what it took."""
        with self._lock:
            if self._taken_s is None:
                self._taken_s = self._clock() - event.at_s
                shipped_s = max(0.0, self._taken_s - self._began_s)
                self._card = replace(self._card, shipped_s=shipped_s)
            self._card = self._card.with_event(event)
            self._changed()

    def on_progress(self, text: str) -> None:
        """Show what an instance that starts is doing."""
        with self._lock:
            self._card = replace(self._card, progress=text, phase=Phase.CONNECTING)
            self._began_s = self._clock()
            self._changed()

    def deployed(self, deployed: Deployed, *news: str, is_live: bool) -> None:
        """Show where it answers, or will."""
        with self._lock:
            self._card = replace(
                self._card, url=deployed.url, took_s=deployed.took_s
            ).with_note(*deployed.warnings, *news)
        if is_live:
            self._end(Phase.LIVE)
        else:
            self._end(Phase.LEFT, _GOES_ON)

    def failed(self) -> None:
        """Show what serves now; the error itself is shown below the card."""
        serves_still = "The previous version serves on."
        nothing = (
            "Nothing serves under this name; mend the cause and run the cell again."
        )
        self._end(Phase.FAILED, serves_still if self._card.serves_still else nothing)

    def interrupted(self) -> str:
        """Show that nobody waits any more; returns that in one line."""
        if self._card.phase is Phase.CONNECTING:
            said = "Interrupted before the deploy began; run the cell again."
            self._end(Phase.FAILED, said)
        elif self._card.phase is Phase.SHIPPING:
            said = "Interrupted while the code was on its way; it may have arrived."
            self._end(Phase.LEFT, said, _GOES_ON)
        else:
            said = "Interrupted; the deploy goes on without the cell."
            self._end(Phase.LEFT, said, _GOES_ON)
        return said

    def _end(self, phase: Phase, *notes: str) -> None:
        with self._lock:
            self._ended.set()
            self._card = replace(self._card, phase=phase).with_note(*notes)
            self._show(is_last=True)

    def _changed(self) -> None:
        """Show it, unless it was shown a moment ago: then the thread does."""
        self._is_shown = False
        if self._clock() - self._shown_s >= _PAUSE_S:
            self._show()

    def _tick(self) -> None:
        while not self._ended.wait(_PAUSE_S):
            with self._lock:
                is_old = self._clock() - self._shown_s >= _TICK_S
                if not self._ended.is_set() and (not self._is_shown or is_old):
                    self._show()

    def _show(self, *, is_last: bool = False) -> None:
        if not self._card.is_busy and not is_last:
            return  # `_end` shows it, with what it took
        now_s = self._clock()
        if self._taken_s is not None:
            self._card = replace(self._card, now_s=now_s - self._taken_s)
        self._shown_s = now_s
        self._is_shown = True
        self._screen.update(card_view(self._card), is_last=is_last)


def _first_card(
    application: Application, wishes: Wishes, before: ServeStatus, note: str
) -> Card:
    card = Card.of(application, name=wishes.name, variable=wishes.variable)
    if before.instance is not None:
        card = replace(card, phase=Phase.SHIPPING)
        if not before.instance.http_url:
            card = card.with_note(f"This instance has {NO_HTTP}.")
    same = before.applications.get(wishes.name)
    if same is None:
        return card.with_note(*filter(None, [note]))
    card = replace(card, serves_still=_is_running(same))
    ingress = application.deployment.name
    if same.ingress in {"", ingress}:
        return card
    return card.with_note(
        f"This takes the place of {same.ingress}, which was {wishes.name} before; "
        "to serve both, name this one: `%%serve NAME`."
    )


def _is_running(app: ApplicationStatusOverview | None) -> bool:
    return app is not None and app.status is ApplicationStatus.RUNNING


def _scaled(application: Application, replicas: int | None) -> Application:
    """The application with as many copies of its ingress deployment."""
    if replicas is None:
        return application
    scaled = application.deployment.options(num_replicas=replicas)
    return scaled.bind(*application.args, **application.kwargs)
