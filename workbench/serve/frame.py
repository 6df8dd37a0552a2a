"""What was measured of an application as a pandas DataFrame."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from workbench import api
from workbench.errors import DeploymentUnavailableError, WorkbenchError
from workbench.spec.events import HistoryEvent
from workbench.spec.metrics import ApplicationSample, DeploymentSample, Sample

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["frame_of", "metrics_frame"]


def metrics_frame(app: str = "default") -> "pd.DataFrame":
    """The last minutes of one application, a row for each half second.

    Index: `time`, in UTC. Columns of the application, as its HTTP clients see it:

    - `requests_per_s`, `errors_per_s`: rates per second; an error is a status of 500
      and above, or a connection that was cut
    - `p50_ms`, `p95_ms`, `p99_ms`: latency in milliseconds; NaN while none ended

    and for each deployment, with its name in front (`Doubler.ongoing`), the same five as
    its replicas see them, where an error is an exception of user code, and

    - `ongoing`, `queued`: calls that run, and calls that wait for a slot
    - `replicas`, `target`: replicas that serve, and that should serve

    Percentiles come from histograms that merge without loss over replicas and seconds;
    each is within 1 % of the true value (`workbench.observe.histogram`).

    Raises:
        NoInstanceError: nothing runs.
        DeploymentUnavailableError: no application of that name was measured.
        WorkbenchError: pandas is not installed.
    """
    frame = frame_of(app, _history())
    if frame.empty:
        msg = f"Nothing was measured of an application {app!r} in the last minutes."
        raise DeploymentUnavailableError(msg)
    return frame


def frame_of(app: str, samples: Iterable[Sample]) -> "pd.DataFrame":
    """The same of samples that are at hand; empty if none knows the application."""
    try:
        import pandas as pd  # noqa: PLC0415 - heavy, and not everybody has it
    except ImportError:
        msg = "A DataFrame needs pandas."
        raise WorkbenchError(msg, "pip install pandas") from None
    rows = {sample.at_s: dict(_row(app, sample)) for sample in samples}
    known = {at: row for at, row in rows.items() if row}
    # Whole milliseconds: as a float, a time of today is off by some nanoseconds.
    times = pd.to_datetime([round(at * 1000) for at in known], unit="ms", utc=True)
    index = pd.DatetimeIndex(times, name="time")
    return pd.DataFrame(list(known.values()), index=index, columns=_columns(known))


def _history() -> tuple[Sample, ...]:
    with closing(api.events()) as events:
        for event in events:
            if isinstance(event, HistoryEvent):
                return event.samples
    return ()


def _row(app: str, sample: Sample) -> Iterator[tuple[str, object]]:
    if whole := sample.applications.get(app):
        yield from asdict(whole).items()
    for key, one in sample.deployments.items():
        owner, _, name = key.partition("#")
        if owner == app:
            for measure, value in asdict(one).items():
                yield f"{name}.{measure}", value


def _columns(rows: dict[float, dict[str, object]]) -> list[str]:
    """The application's own first, then each deployment's, in the order of their fields."""
    found = dict.fromkeys(name for row in rows.values() for name in row)
    own = [field.name for field in fields(ApplicationSample)]
    measures = [field.name for field in fields(DeploymentSample)]
    deployments = dict.fromkeys(
        name.rpartition(".")[0] for name in found if name not in own
    )
    theirs = [f"{name}.{measure}" for name in deployments for measure in measures]
    return [*own, *theirs] if rows else []
