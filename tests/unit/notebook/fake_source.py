"""A stand-in for `workbench.api`'s stream of events, led by the test."""

import queue
import threading
from collections.abc import Generator

from tests.unit.notebook.fake_backend import INSTANCE, running
from workbench.errors import WorkbenchError
from workbench.spec.events import Event, HistoryEvent, SampleEvent, StatusEvent
from workbench.spec.metrics import (
    ApplicationSample,
    DeploymentSample,
    ReplicaSample,
    Sample,
)
from workbench.spec.status import ServeStatus

PATIENCE_S = 60.0


def status_event(*apps: str) -> StatusEvent:
    """An instance runs these applications."""
    found = {name: running("Doubler") for name in apps}
    return StatusEvent(status=ServeStatus(applications=found, instance=INSTANCE))


def sample(at_s: float, *apps: str, has_replicas: bool = True) -> Sample:
    """One moment of these applications, each with one deployment and one replica."""
    replicas = {
        f"r-{app}": ReplicaSample(
            deployment=f"{app}#Doubler", cpu_cores=0.5, memory_bytes=2**20
        )
        for app in apps
    }
    return Sample(
        at_s=at_s,
        applications={
            app: ApplicationSample(requests_per_s=10.0, p50_ms=1.0, p99_ms=3.0)
            for app in apps
        },
        deployments={
            f"{app}#Doubler": DeploymentSample(ongoing=2, replicas=1, target=1)
            for app in apps
        },
        replicas=replicas if has_replicas else {},
    )


class FakeSource:
    """Streams what the test puts in; remembers how streams began and ended."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Event | WorkbenchError] = queue.Queue()
        self.opened = 0
        self.closed = threading.Event()

    def put(self, *events: Event | WorkbenchError) -> None:
        """Have these come next; an error ends the stream."""
        for event in events:
            self._queue.put(event)

    def begin(self, *apps: str, samples: int = 2) -> None:
        """As each stream begins: with the status and the history."""
        past = tuple(
            sample(100 + at / 2, *apps, has_replicas=False) for at in range(samples)
        )
        self.put(status_event(*apps), HistoryEvent(samples=past))

    def sample(self, at_s: float, *apps: str) -> None:
        """Measure once."""
        self.put(SampleEvent(sample=sample(at_s, *apps)))

    def events(self) -> Generator[Event, None, None]:
        self.opened += 1
        self.closed.clear()
        try:
            while True:
                event = self._queue.get(timeout=PATIENCE_S)
                if isinstance(event, WorkbenchError):
                    raise event
                yield event
        finally:
            self.closed.set()


class FakeInstance(FakeSource):
    """That, and what a panel's buttons do."""

    def __init__(self) -> None:
        super().__init__()
        self.scaled: list[tuple[str, str, int]] = []
        self.deleted: list[str] = []
        self.fails_with: Exception | None = None

    def scale(self, app: str, deployment: str, num_replicas: int) -> None:
        if self.fails_with is not None:
            raise self.fails_with
        self.scaled.append((app, deployment, num_replicas))

    def delete(self, name: str) -> bool:
        self.deleted.append(name)
        return True
