"""What changed between two versions of a deployment, in words. Pure.

Called by the controller, which keeps both; compares what `parts` has collected.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from workbench.spec.deployment import DeploymentOptions

__all__ = ["changed_options", "changed_parts"]

_NAMED = 3
# Kinds in the order in which they are told, and what has happened to a part.
_KINDS = {
    "argument": "changed",
    "method": "replaced",
    "function": "changed",
    "class": "changed",
    "attribute": "changed",
    "global": "changed",
    "variable": "changed",
    "module": "changed",
    "package": "changed",
}
_OWN = frozenset({"argument", "method", "class", "attribute"})
_SHOWN_CHARACTERS = 24


def changed_parts(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Names and numbers of the parts that differ; empty if none does, or none is known."""
    if not (old and new):
        return ""
    return ", ".join(phrase for kind in _KINDS for phrase in _phrases(kind, old, new))


def changed_options(old: DeploymentOptions, new: DeploymentOptions) -> list[str]:
    """Each option that differs, from what to what where that is short."""
    return list(_differences("", old, new))


def _phrases(
    kind: str, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[str]:
    before, after = _of_kind(kind, old), _of_kind(kind, new)
    show = _shown_names(kind, [*before, *after])
    changed = [n for n in after if n in before and before[n] != after[n]]
    values = [n for n in changed if _is_value(before[n]) and _is_value(after[n])]
    for name in values:
        said = f"{before[name][1:]} → {after[name][1:]}"
        yield f"{_lead(kind)}{show[name]} {said}"
    # What is beside the class may be there still.
    come, gone = (
        ("added", "removed") if kind in _OWN else ("now used", "no longer used")
    )
    for names, verb in (
        ([n for n in changed if n not in values], _KINDS[kind]),
        ([n for n in after if n not in before], come),
        ([n for n in before if n not in after], gone),
    ):
        if names:
            yield _counted(kind, [show[name] for name in names], verb)


def _of_kind(kind: str, parts: Mapping[str, str]) -> dict[str, str]:
    prefix = f"{kind} "
    return {
        name.removeprefix(prefix): value
        for name, value in parts.items()
        if name.startswith(prefix)
    }


def _shown_names(kind: str, names: list[str]) -> dict[str, str]:
    """Each in backquotes: methods without their class, where there is only one."""
    if kind == "module":
        return {name: f"`{name.replace('.', '/')}.py`" for name in names}
    is_one_class = len({name.rpartition(".")[0] for name in names}) == 1
    if kind == "method" and is_one_class:
        return {name: f"`{name.rpartition('.')[2]}`" for name in names}
    return {name: f"`{name}`" for name in names}


def _counted(kind: str, names: list[str], verb: str) -> str:
    if len(names) == 1:
        return f"{_lead(kind)}{names[0]} {verb}"
    shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    plural = "classes" if kind == "class" else f"{kind}s"
    return f"{len(names)} {plural} {verb} ({shown})"


def _lead(kind: str) -> str:
    """The kind, where the name alone does not say it."""
    return "" if kind in {"module", "package", "attribute"} else f"{kind} "


def _is_value(stands_for: str) -> bool:
    return stands_for.startswith("=")


def _differences(name: str, old: object, new: object) -> Iterator[str]:
    if old == new:
        return
    if type(old) is type(new) and is_dataclass(old):
        prefix = f"{name}." if name else ""
        for each in fields(old):
            yield from _differences(
                f"{prefix}{each.name}",
                getattr(old, each.name),
                getattr(new, each.name),
            )
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(f"{name}.{key}", old.get(key), new.get(key))
    elif _is_shown(name, old) and _is_shown(name, new):
        yield f"{name} {_text(old)} → {_text(new)}"
    else:
        yield f"{name} changed"


def _is_shown(name: str, value: object) -> bool:
    # What users put into configs and environments may be secret.
    is_users = name.startswith(("user_config", "ray_actor_options.runtime_env"))
    if isinstance(value, str) and is_users:
        return False
    return len(repr(value)) <= _SHOWN_CHARACTERS


def _text(value: object) -> str:
    is_whole = isinstance(value, float) and value.is_integer()
    return f"{value:g}" if is_whole else repr(value)
