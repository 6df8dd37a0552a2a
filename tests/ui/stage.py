"""An instance that shows what a test wants: real control API, invented contents."""

import itertools
import platform
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from tests.sidebar.fake_instance import FakeInstance
from workbench import __version__
from workbench.spec.application import Owner
from workbench.spec.control import Introduction
from workbench.spec.events import SampleEvent, StatusEvent
from workbench.spec.logs import LEVELS, LogPage, LogQuery, LogRecord
from workbench.spec.metrics import (
    ApplicationSample,
    DeploymentSample,
    ReplicaSample,
    Sample,
)
from workbench.spec.status import (
    ApplicationStatus,
    ApplicationStatusOverview,
    DeploymentStatus,
    DeploymentStatusOverview,
    ReplicaState,
    ReplicaStatus,
    ServeStatus,
)

__all__ = ["StagedInstance", "application", "deployment"]

# A stream that says nothing for seconds is given up.
_BEAT_S = 0.5


class StagedInstance(FakeInstance):
    """Says a sample of all that it shows on every beat, as a real one does."""

    def __init__(self, id_: str = "staged", *, version: str = __version__) -> None:
        super().__init__(id_, version=version)
        self.applications: dict[str, ApplicationStatusOverview] = {}
        self.records: tuple[LogRecord, ...] = ()
        self.history = ()
        self.beat_s = _BEAT_S
        self._done = threading.Event()
        self._beats = threading.Thread(target=self._beat)
        self._count = itertools.count()

    def __enter__(self) -> Self:
        super().__enter__()
        self._beats.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._beats.join()
        super().__exit__()

    def show(self, **applications: ApplicationStatusOverview) -> Self:
        """Serve these, and nothing else."""
        self.applications = applications
        self.say(StatusEvent(status=self.status()))
        return self

    def status(self) -> ServeStatus:
        return replace(super().status(), applications=self.applications)

    def introduce(self) -> Introduction:
        """With a Python like that of the kernels here."""
        python = platform.python_version()
        return replace(super().introduce(), python_version=python)

    async def logs(self, query: LogQuery) -> LogPage:
        self.asked.append(("logs", query))
        found = tuple(each for each in self.records if _passes(each, query))
        if not found and query.wait_s > 0:
            await self._is_leaving.wait()
        last = self.records[-1].seq if self.records else 0
        return LogPage(records=found, next=last)

    async def delete(self, name: str) -> bool:
        known = await super().delete(name)
        self.show(**{k: v for k, v in self.applications.items() if k != name})
        return known

    async def scale(self, app: str, deployment: str, num_replicas: int) -> None:
        await super().scale(app, deployment, num_replicas)
        found = self.applications[app]
        one = _staffed(found.deployments[deployment], deployment, num_replicas)
        deployments = {**found.deployments, deployment: one}
        self.show(
            **{
                **self.applications,
                app: replace(found, deployments=deployments),
            }
        )

    def sample(self) -> Sample:
        """What it measures now: never the same twice."""
        turn = next(self._count)
        apps = self.applications.items()
        pairs = [
            (f"{app}#{name}", one)
            for app, found in apps
            for name, one in found.deployments.items()
        ]
        rate = 40.0 + 8 * (turn % 5)
        p99 = 3.0 + (turn * 7 % 11) / 10
        return Sample(
            at_s=time.time(),
            applications={
                app: ApplicationSample(
                    requests_per_s=rate, p50_ms=1.1, p95_ms=2.3, p99_ms=p99
                )
                for app, _ in apps
            },
            deployments={
                key: DeploymentSample(
                    requests_per_s=rate,
                    p50_ms=0.6,
                    p95_ms=1.4,
                    p99_ms=p99,
                    ongoing=turn % 3,
                    replicas=len(one.replicas),
                    target=one.target_num_replicas,
                )
                for key, one in pairs
            },
            replicas={
                each.id: ReplicaSample(
                    deployment=key,
                    requests_per_s=rate / len(one.replicas),
                    p99_ms=p99,
                    cpu_cores=0.02 * (turn % 4),
                    memory_bytes=118 * 2**20,
                )
                for key, one in pairs
                for each in one.replicas
            },
        )

    def _beat(self) -> None:
        while not self._done.wait(self.beat_s):
            self.say(SampleEvent(sample=self.sample()))


def application(
    *,
    status: ApplicationStatus = ApplicationStatus.RUNNING,
    message: str = "",
    url: str | None = "http://127.0.0.1:8000/",
    owner: Owner | None = None,
    **deployments: DeploymentStatusOverview,
) -> ApplicationStatusOverview:
    """One application, of these deployments."""
    return ApplicationStatusOverview(
        status=status,
        message=message,
        last_deployed_time_s=1.0,
        deployments={
            name: _staffed(one, name, one.target_num_replicas)
            for name, one in deployments.items()
        },
        route_prefix=None if url is None else "/",
        url=url,
        ingress=next(iter(deployments), ""),
        owner=owner or Owner(notebook="first.ipynb", cell="c1"),
    )


def deployment(
    replicas: int = 1,
    *,
    status: DeploymentStatus = DeploymentStatus.HEALTHY,
    message: str = "",
) -> DeploymentStatusOverview:
    """One deployment; who its replicas are is up to its name."""
    return DeploymentStatusOverview(
        status=status,
        status_trigger="",
        replica_states={},
        message=message,
        version="3f9c1d2ab7",
        target_num_replicas=replicas,
    )


def records(*texts: tuple[str, str], app: str, deployment: str) -> Sequence[LogRecord]:
    """Log records from pairs of level and text, each of a request of its own."""
    return [
        LogRecord(
            seq=number,
            at_s=1_700_000_000.0 + number,
            level=level,
            source="stdout",
            app=app,
            deployment=deployment,
            replica=f"{app}#{deployment}#{number:06x}",
            request_id=f"request-{number}",
            text=text,
        )
        for number, (level, text) in enumerate(texts, 1)
    ]


def _staffed(
    one: DeploymentStatusOverview, name: str, count: int
) -> DeploymentStatusOverview:
    """As many replicas as there should be, all running."""
    ids = [f"{name}#{number:06x}" for number in range(count)]
    replicas = [
        ReplicaStatus(
            id=id_,
            state=ReplicaState.RUNNING,
            version=one.version,
            pid=1000 + number,
            node="127.0.0.1",
        )
        for number, id_ in enumerate(ids)
    ]
    return replace(
        one,
        replicas=tuple(replicas),
        replica_states={"RUNNING": count},
        target_num_replicas=count,
    )


def _passes(record: LogRecord, query: LogQuery) -> bool:
    wanted = ("app", "deployment", "replica", "request_id")
    least = LEVELS.index(query.level) if query.level else 0
    return (
        record.seq > query.after
        and all(getattr(query, name) in {"", getattr(record, name)} for name in wanted)
        and LEVELS.index(record.level) >= least
        and query.contains.lower() in record.text.lower()
    )
