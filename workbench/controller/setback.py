"""Why a replica failed, read from what its work told: for whom it is, what it means. Pure.

A message begins with the name of an error and a colon, or is a sentence of ours.
"""

from dataclasses import dataclass

from workbench.controller.target import ApplicationTarget
from workbench.errors import (
    ConstructorError,
    DeployError,
    PlacementError,
    ShippingError,
)
from workbench.spec.deployment import DeploymentSpec, Version

__all__ = ["Setback", "ends_deploy"]

# Errors that another try does not mend.
_HOPELESS = (PlacementError.__name__, ShippingError.__name__)


@dataclass(frozen=True, slots=True)
class Setback:
    """One failure of one replica."""

    message: str

    @property
    def reason(self) -> str:
        """For the status and the log."""
        name, _, text = self.message.partition(": ")
        return text if name.endswith("Error") else self.message

    @property
    def of_deploy(self) -> tuple[str, str]:
        """For whoever waits for the deploy: the text, and the error that it becomes."""
        name, _, text = self.message.partition(": ")
        return text or name, name if text else DeployError.__name__

    @property
    def is_logged(self) -> bool:
        """The replica has said it in its own log."""
        return self.message.partition(": ")[0] == ConstructorError.__name__

    @property
    def is_hopeless(self) -> bool:
        """Trying again changes nothing."""
        return self.message.startswith(_HOPELESS)


def ends_deploy(
    setback: Setback,
    version: Version,
    *,
    app: ApplicationTarget | None,
    wanted: DeploymentSpec | None,
    failures: int,
) -> bool:
    """Whether the deploy that is under way has failed with the replica of `version`.

    `failures` counts this one, too.
    """
    if not app or app.is_live or not wanted or wanted.version != version:
        return False
    return setback.is_hopeless or (
        failures >= wanted.options.max_constructor_retry_count
    )
