"""Import path `ray.serve.multiplex`."""

from workbench.replica.multiplex import get_multiplexed_model_id, multiplexed

__all__ = ["get_multiplexed_model_id", "multiplexed"]
