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
    titles = [f"{chart.title} ({chart.unit})" for chart in charts]
    figure = make_subplots(rows=2, cols=3, subplot_titles=titles, shared_xaxes=True)
    times = [datetime.fromtimestamp(sample.at_s, UTC) for sample in samples]
    for number, chart in enumerate(charts):
        place = {"row": number // 3 + 1, "col": number % 3 + 1}
        for line in chart.lines:
            style = {"color": line.color, "dash": line.dash, "width": 2}
            if chart.counts:
                style["shape"] = "hv"
            trace = go.Scatter(
                x=times,
                y=line.values,
                name=line.name,
                mode="lines",
                line=style,
                legendgroup=chart.title,
                legendgrouptitle_text=chart.title,
            )
            figure.add_trace(trace, **place)
        figure.update_yaxes(title_text=chart.unit, rangemode="tozero", **place)
    figure.update_xaxes(title_text="time (UTC)", row=2)
    figure.update_layout(title=app, height=640, hovermode="x unified")
    return figure


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
        title="CPU by replica", unit="cores", lines=lines(lambda one: one.cpu_cores)
    )
    yield _Chart(
        title="Memory by replica",
        unit="MiB",
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
