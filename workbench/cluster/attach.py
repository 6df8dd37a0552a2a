"""Noticing that this process is connected to a Ray cluster already."""

import sys

__all__ = ["connected_address"]


def connected_address() -> str | None:
    """Address of the Ray cluster this process is connected to, if it is.

    Looks at what is imported already: a process without Ray is not connected.
    """
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return None
    return str(ray.get_runtime_context().gcs_address)
