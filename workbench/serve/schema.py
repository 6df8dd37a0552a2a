"""Import path `ray.serve.schema`: what a config file and `serve.status()` are made of."""

from workbench.spec.config_file import ConfigFile as ServeDeploySchema
from workbench.spec.config_file import DeclaredApplication as ServeApplicationSchema
from workbench.spec.logging_config import LoggingSpec
from workbench.spec.ranks import ReplicaRank
from workbench.spec.status import (
    ApplicationStatus,
    ApplicationStatusOverview,
    DeploymentStatus,
    DeploymentStatusOverview,
    ReplicaState,
    ServeStatus,
)
from workbench.spec.tracing import TracingConfig

__all__ = [
    "ApplicationStatus",
    "ApplicationStatusOverview",
    "DeploymentStatus",
    "DeploymentStatusOverview",
    "LoggingConfig",
    "ReplicaRank",
    "ReplicaState",
    "ServeApplicationSchema",
    "ServeDeploySchema",
    "ServeStatus",
    "TracingConfig",
]

LoggingConfig = LoggingSpec
