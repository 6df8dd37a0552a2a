"""Draws what an instance serves."""

from collections.abc import Callable
from html import escape
from textwrap import indent

from workbench.notebook.display import MARKS, View, framed, mark, prose
from workbench.spec.http import NO_HTTP
from workbench.spec.status import (
    ApplicationStatus,
    ApplicationStatusOverview,
    DeploymentStatusOverview,
    ReplicaState,
    ServeStatus,
)

__all__ = ["status_view"]

_KIND = {
    ApplicationStatus.NOT_STARTED: "idle",
    ApplicationStatus.DEPLOYING: "busy",
    ApplicationStatus.DEPLOY_FAILED: "bad",
    ApplicationStatus.RUNNING: "good",
    ApplicationStatus.UNHEALTHY: "bad",
    ApplicationStatus.DELETING: "idle",
}
_TITLES = ("application", "where", "state", "deployment", "replicas", "version")
_FIRST_CELL = (
    "from workbench import serve\n\n"
    "@serve.deployment\n"
    "class Hello:\n"
    "    def __call__(self, request):\n"
    '        return "hello"'
)

_MORE = (
    (
        "Change the cell and run it again: its new code is live at once, and what was "
        "loaded stays loaded where it can."
    ),
    (
        "`%serve panel` draws its traffic live · `%serve logs` shows what it says · "
        "`%serve doctor` checks everything · `%serve help` lists all verbs"
    ),
)


def status_view(
    status: ServeStatus,
    *,
    readable: Callable[[str], str] = str,
    explains: bool = False,
) -> View:
    """The applications, their deployments, and what to do next.

    `readable` puts the tracebacks in messages into a reader's words; `explains` for
    a reader who does not know what can be done.
    """
    if status.instance is None:
        return _nothing("Nothing runs.", ())
    http_url, notes = status.instance.http_url, status.instance.notes
    address = f"at {http_url}" if http_url else f"with {NO_HTTP}"
    if status.instance.grpc_address:
        address = f"{address} (gRPC: {status.instance.grpc_address})"
    if not status.applications:
        return _nothing(f"An instance runs {address} and serves nothing yet.", notes)
    count = len(status.applications)
    gist = f"{count} application{'s' if count > 1 else ''} {address}"
    lines = _lines(status)
    messages = map(readable, _messages(status))
    notes = (*notes, *messages, *_next_steps(status))
    if explains:
        notes = (*notes, *_MORE)
    return View(
        line=gist,
        text="\n".join(
            [gist, *_columns(lines), *(indent(note, "  ") for note in notes)]
        ),
        html=framed(
            f'<div class="wb-head">{escape(gist)}</div>',
            _table(status),
            *map(_note, notes),
        ),
    )


def _nothing(gist: str, notes: tuple[str, ...]) -> View:
    advice = (
        "Put `%%serve` above a cell like this one and run it "
        "(`%serve help` says what else there is):"
    )
    return View(
        line=gist,
        text="\n".join([gist, *notes, advice, indent(_FIRST_CELL, "    ")]),
        html=framed(
            f"<div>{mark('idle')}{prose(gist)}</div>",
            *map(_note, (*notes, advice)),
            f"<pre>{escape(_FIRST_CELL)}</pre>",
        ),
    )


def _lines(status: ServeStatus) -> list[tuple[str, ...]]:
    """The table's cells in plain text; an application's own stand once."""
    lines: list[tuple[str, ...]] = []
    for name, app in status.applications.items():
        own: tuple[str, ...] = (
            f"{MARKS[_KIND[app.status]]} {name}",
            _where(app),
            _state(app),
        )
        for deployment, overview in app.deployments.items():
            lines.append((*own, deployment, _replicas(overview), overview.version))
            own = ("", "", "")
    return lines


def _columns(lines: list[tuple[str, ...]]) -> list[str]:
    table = [_TITLES, *lines]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in table]


def _table(status: ServeStatus) -> str:
    titles = "".join(f"<th>{title}</th>" for title in _TITLES)
    bodies = "".join(_rows(*item) for item in status.applications.items())
    return f'<table class="wb-table"><tr>{titles}</tr>{bodies}</table>'


def _rows(name: str, app: ApplicationStatusOverview) -> str:
    where = escape(_where(app))
    if app.url:
        where = f'<a href="{escape(app.url)}" target="_blank">{where}</a>'
    sign = mark(_KIND[app.status])
    own = f"<td>{sign}<b>{escape(name)}</b></td><td>{where}</td><td>{_state(app)}</td>"
    rows: list[str] = []
    for deployment, overview in app.deployments.items():
        cells = (deployment, _replicas(overview), overview.version)
        shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rule = "" if rows else ' class="wb-rule"'
        rows.append(f"<tr{rule}>{own}{shown}</tr>")
        own = "<td></td><td></td><td></td>"
    return "".join(rows)


def _where(app: ApplicationStatusOverview) -> str:
    return app.url or "by handle only"


def _state(app: ApplicationStatusOverview) -> str:
    return app.status.lower().replace("_", " ")


def _replicas(overview: DeploymentStatusOverview) -> str:
    """`1 of 2 running, 1 starting`."""
    running = overview.replica_states.get(ReplicaState.RUNNING, 0)
    others = [
        f"{count} {state.lower()}"
        for state, count in overview.replica_states.items()
        if count and state not in {ReplicaState.RUNNING, ReplicaState.STOPPED}
    ]
    return ", ".join([f"{running} of {overview.target_num_replicas} running", *others])


def _messages(status: ServeStatus) -> list[str]:
    """What is said of applications and deployments, each thing once."""
    said = []
    for name, app in status.applications.items():
        messages = [app.message, *(each.message for each in app.deployments.values())]
        said += [f"{name}: {text.strip()}" for text in messages if text.strip()]
    return list(dict.fromkeys(said))


def _next_steps(status: ServeStatus) -> list[str]:
    name, app = next(iter(status.applications.items()))
    call = f"`%serve query {app.route_prefix}` calls it · " if app.url else ""
    return [
        f"{call}`%serve delete {name}` stops it · `%serve shutdown` ends everything"
    ]


def _note(text: str) -> str:
    if "\n" in text:
        return f'<pre class="wb-note">{escape(text)}</pre>'
    return f'<div class="wb-note wb-soft">{prose(text)}</div>'
