"""What changed between two deploys: in words, and as a diff of their source. Pure.

The source is what travelled with the code: the cell or file in which it was written,
and the author's own modules. Nothing of it is run.
"""

import difflib
import re
from collections.abc import Callable

from workbench.code.blob import unpack
from workbench.controller.history import Record, tell
from workbench.controller.rollout import describe_change
from workbench.spec.application import ApplicationSpec
from workbench.spec.versions import VersionDiff

__all__ = ["compare"]

ReadBlob = Callable[[str], bytes]

# As kernels name the text of a cell; the number in it is another in every version.
_CELL = re.compile(r"^<|[/\\]ipykernel_\d+[/\\]")


def compare(
    app: str, before: Record, after: Record, *, current: int, blob: ReadBlob
) -> VersionDiff:
    """All that differs; `current` is the number of the deploy that should run now."""
    old, new = before.request.application, after.request.application
    return VersionDiff(
        app=app,
        before=tell(before, is_current=before.number == current),
        after=tell(after, is_current=after.number == current),
        changes=_changes(old, new),
        source=_source_diff(before, after, blob),
    )


def _changes(old: ApplicationSpec, new: ApplicationSpec) -> dict[str, str]:
    were = {spec.name: spec for spec in old.deployments}
    are = {spec.name: spec for spec in new.deployments}
    changes = {
        name: describe_change(were[name], are[name])
        if name in were and name in are
        else ("added" if name in are else "removed")
        for name in dict.fromkeys([*were, *are])
    }
    if old.route_prefix != new.route_prefix:
        changes["route"] = f"{old.route_prefix} → {new.route_prefix}"
    if old.target_capacity != new.target_capacity:
        changes["target_capacity"] = f"{old.target_capacity} → {new.target_capacity}"
    if old.autoscaling_policy != new.autoscaling_policy:
        changes["autoscaling_policy"] = _policy_change(old, new)
    return {name: text for name, text in changes.items() if text}


def _policy_change(old: ApplicationSpec, new: ApplicationSpec) -> str:
    if old.autoscaling_policy is None or new.autoscaling_policy is None:
        return "removed" if new.autoscaling_policy is None else "added"
    return "changed"


def _source_diff(before: Record, after: Record, blob: ReadBlob) -> str:
    old = _sources(before.request.application, blob)
    new = _sources(after.request.application, blob)
    lines: list[str] = []
    for name in dict.fromkeys([*old, *new]):
        lines += difflib.unified_diff(
            old.get(name, "").splitlines(),
            new.get(name, "").splitlines(),
            fromfile=f"{name} (version {before.number}, {before.version})",
            tofile=f"{name} (version {after.number}, {after.version})",
            lineterm="",
        )
    return "\n".join(lines)


def _sources(app: ApplicationSpec, blob: ReadBlob) -> dict[str, str]:
    """Each text once, under a name that is the same in every version."""
    found: dict[str, str] = {}
    for spec in app.deployments:
        code = unpack(blob(spec.code))
        cells = 0
        for filename, text in code.sources.items():
            if text in found.values():
                continue
            name = filename
            if _CELL.search(filename):
                cells += 1
                name = f"cell of {spec.name}" + (f", {cells}" if cells > 1 else "")
            found[name] = text
        for module in code.modules:
            if module.source:
                found.setdefault(module.filename or module.name, module.source)
    return found
