"""Import path of Ray Serve's: `from workbench.serve.batching import batch`."""

from workbench.replica.batching import batch

__all__ = ["batch"]
