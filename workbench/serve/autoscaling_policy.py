"""Import path `ray.serve.autoscaling_policy`: policies to name, or to build on.

Each takes an `AutoscalingContext` and returns a number, which need not be whole, and a
dict that it finds in the next context.
"""

from workbench.controller.scaling_policies import latency, queue_length, schedule
from workbench.serve.refused import missing_name

__all__ = [
    "default_autoscaling_policy",
    "latency_autoscaling_policy",
    "replica_queue_length_autoscaling_policy",
    "schedule_autoscaling_policy",
]

default_autoscaling_policy = queue_length
replica_queue_length_autoscaling_policy = queue_length
latency_autoscaling_policy = latency
schedule_autoscaling_policy = schedule


def __getattr__(name: str) -> object:
    raise missing_name(name)
