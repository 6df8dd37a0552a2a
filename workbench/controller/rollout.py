"""The least step that brings a replica from one version to another."""

from collections.abc import Mapping

from workbench.code.changes import changed_options, changed_parts
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
        return Step.ROLL, "resources or environment changed"
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


def describe_change(old: DeploymentSpec, new: DeploymentSpec) -> str:
    """What is different, whatever step it takes; empty if nothing is."""
    return "; ".join(filter(None, [_code_change(old, new), *_option_changes(old, new)]))


def _describe_step(
    old: DeploymentSpec | None,
    new: DeploymentSpec,
    may_keep: bool,  # noqa: FBT001 - private
) -> tuple[Step, str]:
    if old is None:
        return Step.START, "first deploy"
    step, reason = choose_step(old.version, new.version, may_keep=may_keep)
    changes = describe_change(old, new)
    if not changes:
        return step, reason
    if step is Step.NOTHING:
        return Step.RECONFIGURE, changes
    if step is Step.KEEP:
        return step, f"`__init__` unchanged: the instance is kept; {changes}"
    return step, changes


def _code_change(old: DeploymentSpec, new: DeploymentSpec) -> str:
    """What of the code or its arguments differs, by name where the names are known."""
    was, now = old.version, new.version
    if (was.code, was.init) == (now.code, now.init):
        return ""
    if was.init == now.init:
        return changed_parts(old.parts.code, new.parts.code) or "code changed"
    makes = changed_parts(old.parts.init, new.parts.init)
    if not makes:
        return "`__init__` or its arguments changed"
    at_init = {*old.parts.init, *new.parts.init}
    rest = changed_parts(
        _without(old.parts.code, at_init), _without(new.parts.code, at_init)
    )
    said = f"what makes the instance changed: {makes}"
    return f"{said}; also {rest}" if rest else said


def _without(parts: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: each for name, each in parts.items() if name not in names}


def _option_changes(old: DeploymentSpec, new: DeploymentSpec) -> list[str]:
    return changed_options(old.options, new.options)
