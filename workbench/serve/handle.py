"""Import path `ray.serve.handle`."""

from workbench.handle import (
    DeploymentHandle,
    DeploymentResponse,
    DeploymentResponseGenerator,
)

__all__ = ["DeploymentHandle", "DeploymentResponse", "DeploymentResponseGenerator"]
