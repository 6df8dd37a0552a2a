"""Policies of the tests of autoscaling: Ray Serve imports them by module and name."""


def staircase(ctx):
    """One more each time, up to two."""
    assert ctx.app_name
    assert ctx.deployment_name == "Slow"
    step = ctx.policy_state.get("step", 0) + 1
    return min(step, 2), {"step": step}


class Fixed:
    """Always the same number."""

    def __init__(self, number):
        self.number = number

    def __call__(self, ctx):
        return self.number, {}


def far_too_many(ctx):
    """More than any bound."""
    return 1000, {}


def by_depth(ctx):
    """As many as a replica says its queue is deep."""
    depths = (ctx.aggregated_metrics or {}).get("depth", {})
    return max(depths.values(), default=1), {}


def broken(ctx):
    """Raises."""
    raise ZeroDivisionError
