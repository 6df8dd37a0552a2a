"""What was deployed, and how it went: the values front ends show of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from workbench.spec.application import Owner
from workbench.spec.deployment import DeploymentOptions
from workbench.spec.status import Step

__all__ = ["Outcome", "StepTaken", "VersionDiff", "VersionList", "VersionRecord"]


class Outcome(StrEnum):
    """How a deploy went."""

    DEPLOYING = "deploying"
    LIVE = "live"
    FAILED = "failed"
    """It did not come up, or did not pass its gate with nothing to go back to."""
    REVERTED = "reverted"
    """It came up, but did not pass its gate: what served before serves again."""
    REPLACED = "replaced"
    """A newer deploy took over before it was live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTaken:
    """What one deployment went through, and why."""

    deployment: str
    step: Step
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """One deploy of an application."""

    number: int
    """1 is the application's first deploy."""
    version: str
    """Equal for equal content, whoever deploys it and when."""
    deployed_at_s: float
    """Seconds since the epoch."""
    outcome: Outcome
    reason: str = ""
    """Why it failed or was reverted."""
    steps: tuple[StepTaken, ...] = ()
    options: dict[str, DeploymentOptions] = field(default_factory=dict)
    """Of each deployment, by its name."""
    owner: Owner = field(default_factory=Owner)
    rollback_to: int | None = None
    """Number of the deploy that this one brought back."""
    is_current: bool = False
    """It is what should run now."""
    is_kept: bool = True
    """Its code is still there: it can be deployed again, and compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionList:
    """The deploys of one application that are remembered, newest first."""

    app: str
    records: tuple[VersionRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDiff:
    """What changed from one deploy of an application to another."""

    app: str
    before: VersionRecord
    after: VersionRecord
    changes: dict[str, str]
    """In words, by deployment."""
    source: str
    """A unified diff of the source; empty if that is the same."""
