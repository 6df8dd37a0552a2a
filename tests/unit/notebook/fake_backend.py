"""A stand-in for `workbench.api` that remembers what it was asked.

`tests/notebook` runs the same magics against the real one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from workbench.deployment import Application
from workbench.explanation import Explanation
from workbench.spec.application import Owner
from workbench.spec.autoscaling import ScalingRecord, ScalingRule
from workbench.spec.gate import Gate
from workbench.spec.logs import LogPage, LogQuery, LogRecord
from workbench.spec.status import (
    ApplicationStatus,
    ApplicationStatusOverview,
    DeployEvent,
    DeploymentStatus,
    DeploymentStatusOverview,
    EventKind,
    InstanceStatus,
    ReplicaState,
    ReplicaStatus,
    ServeStatus,
    Step,
)
from workbench.spec.versions import (
    Outcome,
    StepTaken,
    VersionDiff,
    VersionList,
    VersionRecord,
)
from workbench.versions import Diff, Versions

INSTANCE = InstanceStatus(
    id="i1", version="0", ray_version="2", http_url="http://127.0.0.1:8000"
)


@dataclass(frozen=True)
class Deployed:
    handle: object = "the handle"
    url: str | None = "http://127.0.0.1:8000/"
    took_s: float = 0.012
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    status_code: int = 200
    reason_phrase: str = "OK"
    headers: dict[str, str] = field(
        default_factory=lambda: {"content-type": "application/json"}
    )
    text: str = '{"digit": 8}'
    elapsed: timedelta = timedelta(milliseconds=3)

    @property
    def content(self) -> bytes:
        return self.text.encode()

    def json(self) -> object:
        return json.loads(self.text)


@dataclass
class Asked:
    """The arguments of one deploy."""

    target: Application
    name: str
    route_prefix: str | None
    may_keep: bool
    wait: bool
    owner: Owner
    gate: Gate


class FakeBackend:
    """Deploys at once; `fails_with` makes the next deploys fail so."""

    def __init__(self, fails_with: BaseException | None = None) -> None:
        self.fails_with = fails_with
        self.deploys: list[Asked] = []
        self.queries: list[tuple[str, object]] = []
        self.connected: tuple[str, str | None] | None = None
        self.answer = Answer()
        self.instance: InstanceStatus | None = None
        self.applications: dict[str, ApplicationStatusOverview] = {}
        self.said: list[LogRecord] = []
        self.asked_logs: list[LogQuery] = []
        self.scaled: list[tuple[str, str, int]] = []
        self.asked_status = 0
        self.recorded: list[VersionRecord] = []
        self.rolled_back: list[tuple[str, str | int | None]] = []
        self.decided: list[ScalingRecord] = []

    def deploy(
        self,
        target: Application,
        *,
        name: str,
        route_prefix: str | None,
        may_keep: bool,
        wait: bool,
        keep_instance: bool,
        owner: Owner,
        gate: Gate,
        on_event: Callable[[DeployEvent], None],
        on_progress: Callable[[str], None],
    ) -> Deployed:
        self.deploys.append(
            Asked(target, name, route_prefix, may_keep, wait, owner, gate)
        )
        if self.instance is None:
            on_progress("Ray is up")
            self.instance = INSTANCE
        ingress = target.deployment.name
        for event in events(ingress):
            on_event(event)
        if self.fails_with is not None:
            raise self.fails_with
        url = f"http://127.0.0.1:8000{route_prefix}" if route_prefix else None
        on_event(DeployEvent(kind=EventKind.LIVE, at_s=0.01, url=url))
        self.applications[name] = running(ingress, route_prefix)
        return Deployed(url=url)

    def status(self) -> ServeStatus:
        self.asked_status += 1
        return ServeStatus(applications=self.applications, instance=self.instance)

    def delete(self, name: str) -> bool:
        return self.applications.pop(name, None) is not None

    def shutdown(self) -> bool:
        was_running = self.instance is not None
        self.instance, self.applications = None, {}
        return was_running

    def connect(self, url: str, token: str | None = None) -> InstanceStatus:
        self.connected = (url, token)
        self.instance = INSTANCE
        return INSTANCE

    def query(self, path: str, body: object | None = None) -> Answer:
        self.queries.append((path, body))
        return self.answer

    def logs(self, query: LogQuery) -> LogPage:
        """All that was said since `after`; filters are the real one's business."""
        self.asked_logs.append(query)
        records = tuple(each for each in self.said if each.seq > query.after)
        return LogPage(records=records, next=max([query.after, *map(_seq, records)]))

    def explain(self, app: str) -> Explanation:
        return Explanation(app, self.decided)

    def versions(self, app: str) -> Versions:
        return Versions(VersionList(app=app, records=tuple(self.recorded)))

    def diff(
        self, app: str, a: str | int | None = None, b: str | int | None = None
    ) -> Diff:
        return Diff(
            VersionDiff(
                app=app,
                before=recorded(int(a or 1)),
                after=recorded(int(b or 2)),
                changes={"Model": "1 method replaced (`predict`)"},
                source="--- cell\n+++ cell\n@@ -1 +1 @@\n-a < b\n+a > b",
            )
        )

    def rollback(
        self,
        app: str,
        version: str | int | None = None,
        *,
        on_event: Callable[[DeployEvent], None],
    ) -> Deployed:
        self.rolled_back.append((app, version))
        for event in events("Model"):
            on_event(event)
        if self.fails_with is not None:
            raise self.fails_with
        return Deployed()

    def scale(self, app: str, deployment: str, num_replicas: int) -> None:
        self.scaled.append((app, deployment, num_replicas))


def recorded(number: int, **changes: Any) -> VersionRecord:
    """One deploy as the history tells it."""
    fields: dict[str, Any] = {
        "version": f"abcdef{number}",
        "deployed_at_s": 0.0,
        "outcome": Outcome.LIVE,
        "owner": Owner(notebook="/home/ann/digits.ipynb"),
        "steps": (StepTaken(deployment="Model", step=Step.KEEP, reason="`a` changed"),),
        **changes,
    }
    return VersionRecord(number=number, **fields)


def decided(before: int, wanted: int, **changes: Any) -> ScalingRecord:
    """One decision of autoscaling."""
    rules = {0: ScalingRule.FITS, 1: ScalingRule.UP, -1: ScalingRule.DOWN}
    fields: dict[str, Any] = {
        "deployment": "Model",
        "at_s": 0.0,
        "until_s": 10.0,
        "rule": rules[(wanted > before) - (wanted < before)],
        "why": f"{wanted} were wanted for 30 s",
        "running": before,
        "proposed": float(wanted),
        **changes,
    }
    return ScalingRecord(before=before, wanted=wanted, **fields)


def said(text: str, seq: int = 1, level: str = "INFO", **fields: str) -> LogRecord:
    """One record as a replica would say it."""
    about = {"app": "default", "deployment": "Model", "replica": "r1", "request_id": ""}
    return LogRecord(
        seq=seq,
        at_s=seq,
        level=level,
        source="stdout",
        text=text,
        **{**about, **fields},
    )


def _seq(record: LogRecord) -> int:
    return record.seq


def events(deployment: str) -> list[DeployEvent]:
    """What a first deploy of one replica reports before it is live."""
    return [
        DeployEvent(
            kind=EventKind.STEP,
            at_s=0.0,
            deployment=deployment,
            step=Step.START,
            reason="new deployment",
        ),
        *(
            DeployEvent(
                kind=EventKind.REPLICA,
                at_s=0.0,
                deployment=deployment,
                replica="r1",
                state=state,
            )
            for state in (ReplicaState.STARTING, ReplicaState.RUNNING)
        ),
    ]


def running(
    ingress: str, route_prefix: str | None = "/", message: str = ""
) -> ApplicationStatusOverview:
    """The status of an application with one deployment that runs."""
    return ApplicationStatusOverview(
        status=ApplicationStatus.RUNNING,
        message=message,
        last_deployed_time_s=0.0,
        route_prefix=route_prefix,
        url=f"http://127.0.0.1:8000{route_prefix}" if route_prefix else None,
        ingress=ingress,
        deployments={
            ingress: DeploymentStatusOverview(
                status=DeploymentStatus.HEALTHY,
                status_trigger="",
                replica_states={"RUNNING": 1},
                version="a1b2c3d",
                replicas=(
                    ReplicaStatus(
                        id=f"{ingress}-r1",
                        state=ReplicaState.RUNNING,
                        version="a1b2c3d",
                        pid=1,
                        node="n1",
                    ),
                ),
            )
        },
    )
