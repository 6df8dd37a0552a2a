"""Draws what was measured at one moment as a table: the panel's stand-in."""

from collections.abc import Iterator
from html import escape

from workbench.notebook.display import View, framed, prose
from workbench.spec.metrics import DeploymentSample, Sample

__all__ = ["metrics_view"]

_TITLES = (
    "deployment",
    "requests/s",
    "errors/s",
    "p50",
    "p95",
    "p99",
    "ongoing",
    "queued",
    "replicas",
    "CPU",
    "memory",
)


def metrics_view(sample: Sample | None, app: str | None, note: str) -> View:
    """One row for each deployment of `app`, or of all applications."""
    rows = list(_rows(sample, app)) if sample is not None else []
    gist = "Measured in the last seconds" if rows else _why_empty(sample, app)
    table = [_TITLES, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  " + "  ".join(map(str.rjust, row, widths)) for row in (table if rows else [])
    ]
    head = "".join(f"<th>{title}</th>" for title in _TITLES)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
        for row in rows
    )
    return View(
        line=gist,
        text="\n".join([gist, *lines, note]),
        html=framed(
            f'<div class="wb-head">{prose(gist)}</div>',
            f'<table class="wb-table"><tr>{head}</tr>{body}</table>' if rows else "",
            f'<div class="wb-note wb-soft">{prose(note)}</div>',
        ),
    )


def _why_empty(sample: Sample | None, app: str | None) -> str:
    if sample is None:
        return "Nothing runs; a `%%serve` cell starts it."
    return f"{app} is not served." if app else "Nothing is served yet."


def _rows(sample: Sample, app: str | None) -> Iterator[tuple[str, ...]]:
    for key, each in sample.deployments.items():
        if app is None or key.partition("#")[0] == app:
            yield _row(key, each, sample)


def _row(key: str, each: DeploymentSample, sample: Sample) -> tuple[str, ...]:
    own = [replica for replica in sample.replicas.values() if replica.deployment == key]
    return (
        key.replace("#", "/"),
        f"{each.requests_per_s:.1f}",
        f"{each.errors_per_s:.1f}",
        _ms(each.p50_ms),
        _ms(each.p95_ms),
        _ms(each.p99_ms),
        str(each.ongoing),
        str(each.queued),
        f"{each.replicas} of {each.target}",
        f"{sum(replica.cpu_cores for replica in own):.2f} cores",
        f"{sum(replica.memory_bytes for replica in own) / 2**20:.0f} MiB",
    )


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g} ms"
