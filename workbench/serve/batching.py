"""Import path `ray.serve.batching`."""

from workbench.replica.batching import batch

__all__ = ["batch"]
