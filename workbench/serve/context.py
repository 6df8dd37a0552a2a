"""Import path `ray.serve.context`."""

from workbench.replica.context import ReplicaContext, get_replica_context

__all__ = ["ReplicaContext", "get_replica_context"]
