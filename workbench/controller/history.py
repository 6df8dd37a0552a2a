"""What was deployed of each application, and how it went: a value, as `target` is.

The records of the last deploys stay; the code of the last few versions stays with
them, so that these can be deployed again without whoever made them. Pure.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from workbench.errors import UnknownVersionError
from workbench.spec.application import ApplicationSpec, DeployRequest
from workbench.spec.deployment import DeploymentSpec, Parts, Version
from workbench.spec.versions import Outcome, StepTaken, VersionList, VersionRecord

__all__ = ["History", "Record", "tell", "version_of"]

# Records are small once their code is gone; enough of them to see what led here.
_MOST_RECORDS = 50

SizeOf = Callable[[str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One deploy, with all that it takes to do it again."""

    number: int
    version: str
    request: DeployRequest
    """Without blobs, which are stored once each."""
    at_s: float
    outcome: Outcome = Outcome.DEPLOYING
    reason: str = ""
    steps: tuple[StepTaken, ...] = ()
    rollback_to: int | None = None
    is_kept: bool = True
    """The blobs that it names are still stored."""

    def blob_ids(self) -> set[str]:
        """What deploying it again needs."""
        if not self.is_kept:
            return set()
        checks = {self.request.gate.checks} - {""}
        return self.request.application.blob_ids() | checks


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The records of each application, oldest first."""

    applications: dict[str, tuple[Record, ...]] = field(default_factory=dict)
    most_kept: int = 10
    """Versions of each application whose code is kept."""
    most_bytes: int = 64 * 1024 * 1024
    """Of all code that is kept here, whether or not it runs."""

    def begin(
        self,
        request: DeployRequest,
        now_s: float,
        steps: Iterable[StepTaken] = (),
        rollback_to: int | None = None,
    ) -> "History":
        """A deploy has begun; one that was under way is not waited for any more."""
        name = request.application.name
        history = self.end(name, Outcome.REPLACED, "A newer deploy of it took over.")
        before = history.applications.get(name, ())
        record = Record(
            number=before[-1].number + 1 if before else 1,
            version=version_of(request.application),
            request=replace(request, blobs={}),
            at_s=now_s,
            steps=tuple(steps),
            rollback_to=rollback_to,
        )
        records = (*before, record)[-_MOST_RECORDS:]
        return _with(history, name, _last_versions(records, self.most_kept))

    def end(self, name: str, outcome: Outcome, reason: str = "") -> "History":
        """The deploy under way has ended; nothing happens if none is."""
        records = self.applications.get(name, ())
        if not records or records[-1].outcome is not Outcome.DEPLOYING:
            return self
        ended = replace(records[-1], outcome=outcome, reason=reason)
        return _with(self, name, (*records[:-1], ended))

    def forget(self, name: str) -> "History":
        """The application is deleted."""
        left = {key: each for key, each in self.applications.items() if key != name}
        return replace(self, applications=left)

    def bounded(self, size_of: SizeOf) -> "History":
        """Without the code that is too large to be kept, of the oldest deploys first.

        Looks at everything (60 ms with 10,000 records): for when there is too much.
        """
        all_records = (each for app in self.applications.values() for each in app)
        kept = [each for each in all_records if each.is_kept]
        newest_first = sorted(kept, key=lambda record: -record.at_s)
        counted: set[str] = set()
        dropped: set[int] = set()
        total = 0
        for record in newest_first:
            size = sum(map(size_of, record.blob_ids() - counted))
            if total + size <= self.most_bytes:
                counted |= record.blob_ids()
                total += size
            else:
                dropped.add(id(record))
        if not dropped:
            return self
        applications = {
            name: tuple(_emptied(r) if id(r) in dropped else r for r in records)
            for name, records in self.applications.items()
        }
        return replace(self, applications=applications)

    def blob_ids(self) -> set[str]:
        """Every blob that is kept for deploying something again."""
        return set().union(*map(self.blob_ids_of, self.applications))

    def blob_ids_of(self, name: str) -> set[str]:
        """Those of one application."""
        records = self.applications.get(name, ())
        return set().union(*(each.blob_ids() for each in records))

    def find(self, name: str, version: str | int) -> Record:
        """The newest deploy of that number or (beginning of a) version.

        Raises:
            UnknownVersionError: there is none, or its code is no longer kept.
        """
        records = self.applications.get(name, ())
        for record in reversed(records):
            if _is_meant(record, str(version)):
                if record.is_kept:
                    return record
                msg = f"The code of version {version} of {name!r} is no longer kept."
                raise UnknownVersionError(msg, _there_is(records))
        msg = f"{name!r} has no version {version!r}."
        raise UnknownVersionError(msg, _there_is(records))

    def previous(self, name: str, current: ApplicationSpec | None) -> Record:
        """What was live last, before what should run now.

        Raises:
            UnknownVersionError: nothing else was live, of what is kept.
        """
        records = self.applications.get(name, ())
        now = version_of(current) if current else ""
        at = self.current(name, current)
        for record in reversed(records):
            is_before = at is None or record.number < at.number
            was_live = record.outcome is Outcome.LIVE and record.is_kept
            if is_before and was_live and record.version != now:
                return record
        msg = f"No other version of {name!r} was live before this one."
        raise UnknownVersionError(msg, _there_is(records))

    def current(self, name: str, spec: ApplicationSpec | None) -> Record | None:
        """The deploy that `spec`, which should run now, comes from."""
        if spec is None:
            return None
        version = version_of(spec)
        records = [r for r in self.applications.get(name, ()) if r.version == version]
        alive = [each for each in records if each.outcome in _RUNS]
        found = alive or records
        return found[-1] if found else None

    def list(self, name: str, spec: ApplicationSpec | None) -> VersionList:
        """What users are told, newest first; `spec` is what should run now."""
        current = self.current(name, spec)
        records = self.applications.get(name, ())
        return VersionList(
            app=name,
            records=tuple(tell(each, is_current=each is current) for each in records)[
                ::-1
            ],
        )


_RUNS = frozenset({Outcome.LIVE, Outcome.DEPLOYING})


def version_of(app: ApplicationSpec) -> str:
    """Short content hash of an application: of code, arguments and options."""
    parts = [app.ingress, *(_identity(each) for each in app.deployments)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:7]


def tell(record: Record, *, is_current: bool) -> VersionRecord:
    """A record as users are told it."""
    app = record.request.application
    return VersionRecord(
        number=record.number,
        version=record.version,
        deployed_at_s=record.at_s,
        outcome=record.outcome,
        reason=record.reason,
        steps=record.steps,
        options={spec.name: spec.options for spec in app.deployments},
        owner=app.owner,
        rollback_to=record.rollback_to,
        is_current=is_current,
        is_kept=record.is_kept,
    )


def _with(history: History, name: str, records: tuple[Record, ...]) -> History:
    return replace(history, applications={**history.applications, name: records})


def _identity(spec: DeploymentSpec) -> str:
    # Not the number of replicas: scaling makes no new version.
    return "\t".join([spec.name, *_parts(spec.version)])


def _parts(version: Version) -> tuple[str, ...]:
    return version.code, version.init, version.placement, version.config


def _last_versions(records: tuple[Record, ...], most: int) -> tuple[Record, ...]:
    """With the code of the last `most` different versions only."""
    versions: set[str] = set()
    found: list[Record] = []
    for record in reversed(records):
        versions.add(record.version)
        found.append(record if len(versions) <= most else _emptied(record))
    return tuple(reversed(found))


def _emptied(record: Record) -> Record:
    """Without what nobody can ask for once the code is gone."""
    if not record.is_kept:
        return record
    app = record.request.application
    bare = tuple(replace(spec, parts=Parts()) for spec in app.deployments)
    request = replace(record.request, application=replace(app, deployments=bare))
    return replace(record, is_kept=False, request=request)


def _is_meant(record: Record, word: str) -> bool:
    """Whether a word means this deploy: its number, or how its version begins.

    The versions that status shows are those of single deployments; these will do too.
    """
    if word.isdecimal() and len(word) < 7:
        return record.number == int(word)
    codes = [spec.version.code for spec in record.request.application.deployments]
    return len(word) >= 4 and any(
        each.startswith(word) for each in (record.version, *codes)
    )


def _there_is(records: tuple[Record, ...]) -> str:
    kept = {each.version: each.number for each in records if each.is_kept}
    shown = ", ".join(f"{number} ({version})" for version, number in kept.items())
    return f"There is {shown}." if shown else "Nothing of that name was deployed."
