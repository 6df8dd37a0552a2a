"""Import path `ray.serve.metrics`."""

from workbench.replica.metrics import Counter, Gauge, Histogram

__all__ = ["Counter", "Gauge", "Histogram"]
