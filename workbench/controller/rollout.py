"""The least step that brings a replica from one version to another."""

from workbench.spec.application import ApplicationSpec, DeployRequest
from workbench.spec.deployment import DeploymentSpec, Version
from workbench.spec.status import Step
from workbench.spec.versions import StepTaken

__all__ = ["IN_PLACE", "choose_step", "describe_change", "describe_deploy"]

IN_PLACE = frozenset({Step.RECONFIGURE, Step.KEEP})
"""Steps after which the same process serves on."""


def choose_step(old: Version, new: Version, *, may_keep: bool) -> tuple[Step, str]:
    """The least step that suffices, and why it is needed."""
    if old == new:
        return Step.NOTHING, "code, arguments and options are the same"
    if old.placement != new.placement:
        return Step.ROLL, "ray_actor_options changed"
    if (old.code, old.init) == (new.code, new.init):
        return Step.RECONFIGURE, "only options changed"
    if old.init != new.init:
        return Step.SWAP, "`__init__` or its arguments changed"
    if may_keep:
        return Step.KEEP, "`__init__` unchanged: the instance and its state are kept"
    return Step.SWAP, "code changed"


def describe_deploy(
    before: ApplicationSpec | None, request: DeployRequest
) -> tuple[StepTaken, ...]:
    """What each deployment of a request will go through, and why."""
    old = {spec.name: spec for spec in before.deployments} if before else {}
    taken = []
    for spec in request.application.deployments:
        step, reason = _describe_step(old.get(spec.name), spec, request.may_keep)
        taken.append(StepTaken(deployment=spec.name, step=step, reason=reason))
    return tuple(taken)


def _describe_step(
    old: DeploymentSpec | None,
    new: DeploymentSpec,
    may_keep: bool,  # noqa: FBT001 - private
) -> tuple[Step, str]:
    if old is None:
        return Step.START, "first deploy"
    step, reason = choose_step(old.version, new.version, may_keep=may_keep)
    count, wanted = old.options.num_replicas, new.options.num_replicas
    if count == wanted:
        return step, reason
    change = f"num_replicas {count} → {wanted}"
    if step is Step.NOTHING:
        return Step.RECONFIGURE, change
    return step, f"{reason}; {change}"


def describe_change(old: DeploymentSpec, new: DeploymentSpec) -> str:
    """What is different, whatever step it takes; empty if nothing is."""
    step, reason = _describe_step(old, new, True)  # noqa: FBT003 - private
    return "" if step is Step.NOTHING else reason
