"""Draws a panel's figures once, for front ends that show no widgets."""

from html import escape
from textwrap import indent

from workbench.notebook.display import View, framed, prose
from workbench.notebook.feed import Known
from workbench.spec.metrics import ApplicationSample, DeploymentSample, Sample
from workbench.spec.status import ServeStatus

__all__ = ["panel_view"]

_TITLES = (
    "",
    "requests/s",
    "errors/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "ongoing",
    "queued",
    "replicas",
)


def panel_view(app: str, known: Known, note: str) -> View:
    """The newest figures of an application as a table; `note` says how to get more."""
    problem = _problem(app, known)
    lines = _lines(app, known.samples[-1]) if known.samples and not problem else []
    gist = f"{app}: {problem}" if problem else f"{app}, as measured just now"
    return View(
        line=gist,
        text="\n".join([gist, *_columns(lines), indent(note, "  ")]),
        html=framed(
            f'<div class="wb-head"><span>{prose(gist)}</span></div>',
            _table(lines),
            f'<div class="wb-note wb-soft">{prose(note)}</div>',
        ),
    )


def _problem(app: str, known: Known) -> str:
    if known.away is not None:
        return f"{known.away.sentence} {known.away.remedy}".strip()
    status = known.status or ServeStatus()
    if status.instance is None:
        return "nothing runs. Put `%%serve` above a cell and run it."
    if app not in status.applications:
        others = ", ".join(f"`{name}`" for name in status.applications)
        return f"not served. {f'Served are {others}.' if others else 'Nothing is.'}"
    return "" if known.samples else "not measured yet."


def _lines(app: str, sample: Sample) -> list[tuple[str, ...]]:
    prefix = f"{app}#"
    whole = sample.applications.get(app, ApplicationSample())
    lines = [(f"{app} (HTTP)", *_traffic(whole), "", "", "")]
    for key, one in sample.deployments.items():
        if key.startswith(prefix):
            now = (str(one.ongoing), str(one.queued), f"{one.replicas} of {one.target}")
            lines.append((key.removeprefix(prefix), *_traffic(one), *now))
    return lines


def _traffic(one: ApplicationSample | DeploymentSample) -> tuple[str, ...]:
    rates = (f"{one.requests_per_s:.1f}", f"{one.errors_per_s:.1f}")
    latencies = (one.p50_ms, one.p95_ms, one.p99_ms)
    return (*rates, *("–" if ms is None else f"{ms:.2f}" for ms in latencies))


def _columns(lines: list[tuple[str, ...]]) -> list[str]:
    if not lines:
        return []
    table = [_TITLES, *lines]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in table]


def _table(lines: list[tuple[str, ...]]) -> str:
    if not lines:
        return ""
    titles = "".join(f"<th>{title}</th>" for title in _TITLES)
    rows = "".join(
        '<tr class="wb-rule">'
        + "".join(f"<td>{escape(cell)}</td>" for cell in line)
        + "</tr>"
        for line in lines
    )
    return f'<table class="wb-table"><tr>{titles}</tr>{rows}</table>'
