"""A panel's charts as a plotly figure: the same six, in the same colours."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.spec.metrics import (
    ApplicationSample,
    DeploymentSample,
    ReplicaSample,
    Sample,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["figure_of"]

_MIB = 1024 * 1024
# After Okabe and Ito, as in `extension/src/charts/looks.ts`.
_BLUE, _GREEN, _RED, _GREY = "#0072b2", "#009e73", "#d55e00", "#767676"
_REPLICAS = (_BLUE, _RED, _GREEN, "#b5578f", "#b87f00", _GREY)
_COLUMNS = 2
_DASHES = ("solid", "dash", "dot")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    name: str
    color: str
    dash: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chart:
    title: str
    unit: str
    lines: Sequence[_Line]
    counts: bool = False
    group: str = ""
    """Charts of one group show the same lines, and hide them together."""


def figure_of(app: str, samples: Sequence[Sample]) -> "go.Figure":
    """The charts of one application as its samples stand.

    Raises:
        WorkbenchError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go  # noqa: PLC0415 - 4 s of import the first time
        from plotly.subplots import make_subplots  # noqa: PLC0415
    except ImportError:
        msg = "A figure needs plotly."
        raise WorkbenchError(msg, "pip install plotly") from None
    charts = [*_traffic_charts(app, samples), *_replica_charts(app, samples)]
    figure = make_subplots(
        rows=len(charts) // _COLUMNS,
        cols=_COLUMNS,
        subplot_titles=[chart.title for chart in charts],
        shared_xaxes=True,
        horizontal_spacing=0.12,
        vertical_spacing=0.08,
    )
    times = [datetime.fromtimestamp(sample.at_s, UTC) for sample in samples]
    for number, chart in enumerate(charts):
        place = {"row": number // _COLUMNS + 1, "col": number % _COLUMNS + 1}
        for line in chart.lines:
            trace = go.Scatter(x=times, y=line.values, **_appearance(chart, line))
            figure.add_trace(trace, **place)
        figure.update_yaxes(title_text=chart.unit, rangemode="tozero", **place)
    figure.update_xaxes(nticks=5, tickangle=0)
    figure.update_xaxes(title_text="time (UTC)", row=len(charts) // _COLUMNS)
    figure.update_layout(
        title=app,
        template="plotly_white",
        height=260 * len(charts) // _COLUMNS,
        hovermode="x unified",
    )
    return figure


def _appearance(chart: _Chart, line: _Line) -> dict[str, object]:
    """Replicas stand in the legend once, for both of their charts."""
    style = {"color": line.color, "dash": line.dash, "width": 2}
    group = chart.group or chart.title
    return {
        "name": line.name,
        "meta": chart.title,
        "mode": "lines",
        "line": {**style, "shape": "hv"} if chart.counts else style,
        "legendgroup": f"{group} {line.name}" if chart.group else group,
        "legendgrouptitle": {"text": None if chart.group else group},
        "showlegend": chart.title != "Memory by replica",
    }


def _traffic_charts(app: str, samples: Sequence[Sample]) -> Iterator[_Chart]:
    whole = [sample.applications.get(app) for sample in samples]

    def column(pick: Callable[[ApplicationSample], float | None]) -> list[float | None]:
        return [None if one is None else pick(one) for one in whole]

    def total(pick: Callable[[DeploymentSample], int]) -> list[float | None]:
        return [_sum(pick, _deployments(app, sample)) for sample in samples]

    yield _Chart(
        title="Latency",
        unit="ms",
        lines=[
            _line("p50", _BLUE, "solid", column(lambda one: one.p50_ms)),
            _line("p95", _GREEN, "dash", column(lambda one: one.p95_ms)),
            _line("p99", _RED, "dot", column(lambda one: one.p99_ms)),
        ],
    )
    yield _Chart(
        title="Requests",
        unit="per second",
        lines=[
            _line("all", _BLUE, "solid", column(lambda one: one.requests_per_s)),
            _line("errors", _RED, "dash", column(lambda one: one.errors_per_s)),
        ],
    )
    yield _Chart(
        title="Calls",
        unit="count",
        counts=True,
        lines=[
            _line("ongoing", _BLUE, "solid", total(lambda one: one.ongoing)),
            _line("queued", _RED, "dash", total(lambda one: one.queued)),
        ],
    )
    yield _Chart(
        title="Replicas",
        unit="count",
        counts=True,
        lines=[
            _line("running", _BLUE, "solid", total(lambda one: one.replicas)),
            _line("target", _GREY, "dash", total(lambda one: one.target)),
        ],
    )


def _replica_charts(app: str, samples: Sequence[Sample]) -> Iterator[_Chart]:
    """CPU and memory; only moments that were seen live have replicas."""
    prefix = f"{app}#"
    names = {
        replica: one.deployment.removeprefix(prefix)
        for sample in samples
        for replica, one in sample.replicas.items()
        if one.deployment.startswith(prefix)
    }

    has_several = len(set(names.values())) > 1

    def lines(pick: Callable[[ReplicaSample], float]) -> list[_Line]:
        return [
            _line(
                f"{name} {replica[:8]}" if has_several else replica[:8],
                _REPLICAS[number % len(_REPLICAS)],
                _DASHES[number % len(_DASHES)],
                [
                    pick(sample.replicas[replica])
                    if replica in sample.replicas
                    else None
                    for sample in samples
                ],
            )
            for number, (replica, name) in enumerate(names.items())
        ]

    yield _Chart(
        title="CPU by replica",
        unit="cores",
        group="Replica",
        lines=lines(lambda one: one.cpu_cores),
    )
    yield _Chart(
        title="Memory by replica",
        unit="MiB",
        group="Replica",
        lines=lines(lambda one: one.memory_bytes / _MIB),
    )


def _line(name: str, color: str, dash: str, values: Sequence[float | None]) -> _Line:
    return _Line(name=name, color=color, dash=dash, values=values)


def _deployments(app: str, sample: Sample) -> list[DeploymentSample]:
    prefix = f"{app}#"
    return [one for key, one in sample.deployments.items() if key.startswith(prefix)]


def _sum(
    pick: Callable[[DeploymentSample], int], them: Sequence[DeploymentSample]
) -> float | None:
    return sum(map(pick, them)) if them else None
