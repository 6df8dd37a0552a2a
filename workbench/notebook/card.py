"""The state of one deploy as its cell shows it.

Pure: a card and an event in, the next card out. `display` draws it, `magics` feeds it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from workbench.deployment import Application
from workbench.spec.deployment import Kind
from workbench.spec.status import DeployEvent, EventKind, ReplicaState, Step

__all__ = ["Card", "Phase", "Row", "Track"]


class Phase(StrEnum):
    """How far a deploy has come; the word that the reader sees."""

    CONNECTING = "starting"
    """An instance is being started; it knows nothing of the deploy yet."""
    SHIPPING = "shipping"
    """The code is on its way to an instance that runs."""
    DEPLOYING = "deploying"
    LIVE = "live"
    FAILED = "failed"
    LEFT = "deploying on its own"
    """The cell ended before the deploy did: `--no-wait`, or an interrupt."""


# Said first, and not said at all.
_NOT_COUNTED = frozenset({ReplicaState.RUNNING, ReplicaState.STOPPED})
_LASTING = frozenset({ReplicaState.RUNNING, ReplicaState.STOPPED, ReplicaState.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What one replica has gone through, and when each state began."""

    states: tuple[tuple[ReplicaState, float], ...] = ()
    waits_for: str = ""
    """What the cluster lacks to place it."""

    @property
    def state(self) -> ReplicaState:
        """Where it is now."""
        return self.states[-1][0]

    def with_event(self, event: DeployEvent) -> "Track":
        """The track with one more state, or with what it waits for."""
        states = self.states
        if event.state is not None and (not states or self.state is not event.state):
            states = (*states, (event.state, event.at_s))
        return Track(states=states, waits_for=event.message)

    def stays(self, now_s: float) -> list[tuple[ReplicaState, float | None]]:
        """Each state with the seconds spent in it; None for one that is to last."""
        ends = [at_s for _, at_s in self.states[1:]]
        stays: list[tuple[ReplicaState, float | None]] = [
            (state, end - at_s)
            for (state, at_s), end in zip(self.states, ends, strict=False)
        ]
        state, at_s = self.states[-1]
        is_done = state in _LASTING
        return [*stays, (state, None if is_done else max(0.0, now_s - at_s))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One deployment of the application."""

    name: str
    step: Step | None = None
    reason: str = ""
    replicas: Mapping[str, Track] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """Its replicas in words: `1 running, 1 starting`."""
        counts = Counter(track.state for track in self.replicas.values())
        others = [state for state in counts if state not in _NOT_COUNTED]
        shown = [ReplicaState.RUNNING, *sorted(others)]
        return ", ".join(
            f"{counts[state]} {state.lower()}" for state in shown if counts[state]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything a deploy's card says."""

    name: str
    by_handle: str = ""
    """Expression that calls the application by handle; empty where none can."""
    answers_http: bool = True
    """It has a `__call__` that a request can enter, or is an ASGI app."""
    docs_path: str = ""
    """Where below its URL the application explains itself (FastAPI does)."""
    phase: Phase = Phase.CONNECTING
    progress: str = ""
    """What the instance's start is about, while it starts."""
    rows: tuple[Row, ...] = ()
    shipped_s: float | None = None
    """From running the cell to the moment when the controller had the code."""
    now_s: float = 0.0
    """Seconds from that moment to the one that the card is drawn for."""
    url: str | None = None
    took_s: float | None = None
    serves_still: bool = False
    """A version served before this deploy; it goes on if this one fails."""
    notes: tuple[str, ...] = ()

    @property
    def is_busy(self) -> bool:
        """Something of it still goes on, and is watched."""
        return self.phase in {Phase.CONNECTING, Phase.SHIPPING, Phase.DEPLOYING}

    @classmethod
    def of(cls, application: Application, *, name: str, variable: str | None) -> Self:
        """The card of a deploy that has not begun; `variable` will hold its handle."""
        deployment = application.deployment
        target = deployment.func_or_class
        if deployment.kind is not Kind.ASGI:
            handle = variable or f'serve.get_app_handle("{name}")'
            method = _method(target)
            by_handle = f"{handle}{method}.remote(...)"
            return cls(name=name, by_handle=by_handle, answers_http=not method)
        app = getattr(target, "__serve_asgi_app__", None)
        return cls(name=name, docs_path=getattr(app, "docs_url", None) or "")

    def with_event(self, event: DeployEvent) -> "Card":
        """The card after one event of the deploy."""
        match event.kind:
            case EventKind.STEP:
                row = replace(
                    self._row(event.deployment), step=event.step, reason=event.reason
                )
                return self._with_row(row)
            case EventKind.REPLICA if event.state is not None:
                row = self._row(event.deployment)
                track = row.replicas.get(event.replica, Track())
                replicas = {**row.replicas, event.replica: track.with_event(event)}
                return self._with_row(replace(row, replicas=replicas))
            case EventKind.GATE:
                return self.with_note(event.message)
            case EventKind.LIVE:
                rows = tuple(_without_old(row) for row in self.rows)
                return replace(self, phase=Phase.LIVE, url=event.url, rows=rows)
            case EventKind.FAILED:
                return replace(self, phase=Phase.FAILED)
        return self

    def with_note(self, *notes: str) -> "Card":
        """The card with something more to know, said once."""
        new = tuple(note for note in notes if note not in self.notes)
        return replace(self, notes=self.notes + new)

    def _row(self, deployment: str) -> Row:
        for row in self.rows:
            if row.name == deployment:
                return row
        return Row(name=deployment)

    def _with_row(self, changed: Row) -> "Card":
        if any(row.name == changed.name for row in self.rows):
            rows = tuple(
                changed if row.name == changed.name else row for row in self.rows
            )
        else:
            rows = (*self.rows, changed)
        return replace(self, rows=rows, phase=Phase.DEPLOYING)


def _without_old(row: Row) -> Row:
    """Once the new version serves, what still stops is of no interest."""
    replicas = {
        id_: track
        for id_, track in row.replicas.items()
        if track.state not in {ReplicaState.STOPPING, ReplicaState.STOPPED}
    }
    return replace(row, replicas=replicas)


def _method(target: object) -> str:
    """`.predict` for a class that is not callable but has one public method."""
    if not isinstance(target, type) or "__call__" in dir(target):
        return ""
    public = [name for name in vars(target) if not name.startswith("_")]
    return f".{public[0]}" if public else ""
