"""Runs the body of a `%%serve` cell and finds the application in it.

Called by `magics`. Talks to no instance.
"""

import ast
import inspect
import symtable
from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType
from typing import TypeVar

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from workbench.deployment import Application, Deployment
from workbench.notebook.tracebacks import CellSyntaxError, show_from

__all__ = ["Outcome", "find_application", "run_body"]

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a cell left behind."""

    value: object
    """The last line's value, if it is an expression."""
    assigned: Mapping[str, object]
    """What the cell assigned, defined or imported by name, in order of appearance."""


def run_body(shell: InteractiveShell, body: str) -> Outcome:
    """Run a magic cell's body as if it were the whole cell.

    Raises:
        UsageError: a top-level `await`, which a magic cannot wait for.
        CellSyntaxError: the body is no Python.
        BaseException: what the user's code raised, drawn from the user's first line.
    """
    number, raw, above = _place(shell, body)
    # As comments, the lines above the body keep its line numbers those of the cell.
    comments = "".join(f"# {line}\n" for line in above.splitlines())
    source = shell.transform_cell(comments + body)  # type: ignore[no-untyped-call]
    # The name is the one that the kernel gives to the raw cell: its debugger and its
    # tracebacks ("Cell In[3], line 7") know the cell by it.
    filename = shell.compile.cache(source, number, raw_code=raw)
    steps, last = _compile(shell, source, filename)
    value = None
    try:
        exec(steps, shell.user_global_ns, shell.user_ns)  # noqa: S102 - the user's cell
        if last is not None:
            value = eval(last, shell.user_global_ns, shell.user_ns)  # noqa: S307
    except SyntaxError as error:  # of a module that the cell imports
        raise CellSyntaxError(shell, error) from None
    except BaseException as error:
        show_from(shell, error, filename)
        raise
    names = (name for name in _assigned_names(source) if name in shell.user_ns)
    return Outcome(value=value, assigned={name: shell.user_ns[name] for name in names})


def find_application(outcome: Outcome) -> Application:
    """The application that a cell means.

    In this order: the last line's value, `app`, the only application assigned, the
    only deployment assigned (bound with no arguments). Only what this cell assigned
    counts, so that an `app` of another cell is never served by mistake.

    Raises:
        UsageError: none or several; says what was found and what to write.
    """
    for value in (outcome.value, outcome.assigned.get("app")):
        if isinstance(value, Application):
            return value
        if isinstance(value, Deployment):
            return _bind(value)
    applications = _named(outcome, Application)
    if len(applications) == 1:
        return next(iter(applications.values()))
    if applications:
        raise _several_applications(list(applications))
    deployments = _named(outcome, Deployment)
    if len(deployments) == 1:
        return _bind(next(iter(deployments.values())))
    if deployments:
        raise _several_deployments(list(deployments))
    raise _nothing_to_serve(outcome)


def _place(shell: InteractiveShell, body: str) -> tuple[int, str, str]:
    """The cell's number, its raw text, and what of that stands above the body."""
    # While a magic runs, `shell.execution_count` is one too high already.
    number = shell.execution_count - 1
    manager = shell.history_manager
    raw = manager.input_hist_raw[-1] if manager is not None else ""
    if not raw.rstrip().endswith(body.rstrip()):
        # Run by other code (`run_cell_magic`): the history does not know this cell.
        raw = f"%%serve\n{body}"
    return number, raw, raw.rstrip().removesuffix(body.rstrip())


def _compile(
    shell: InteractiveShell, source: str, filename: str
) -> tuple[CodeType, CodeType | None]:
    """The cell's statements, and its last line apart where that is an expression."""
    # As IPython compiles a cell, so with the __future__ imports of earlier ones.
    flags = shell.compile.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        tree = ast.parse(source, filename)
        tree = shell.transform_ast(tree)  # type: ignore[no-untyped-call]
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, ast.Expr):
            return _checked(compile(tree, filename, "exec", flags)), None
        tree.body.pop()
        return (
            _checked(compile(tree, filename, "exec", flags)),
            _checked(compile(ast.Expression(last.value), filename, "eval", flags)),
        )
    except SyntaxError as error:
        raise CellSyntaxError(shell, error) from None


def _checked(code: CodeType) -> CodeType:
    if code.co_flags & inspect.CO_COROUTINE:
        msg = "%%serve cannot wait for a top-level await; move it to a cell above."
        raise UsageError(msg)
    return code


def _assigned_names(source: str) -> list[str]:
    top = symtable.symtable(source, "<cell>", "exec")
    return [
        symbol.get_name()
        for symbol in top.get_symbols()
        if symbol.is_assigned() or symbol.is_imported()
    ]


def _named(outcome: Outcome, kind: type[Found]) -> dict[str, Found]:
    """What is of this kind among what the cell assigned, each object once."""
    found: dict[int, tuple[str, Found]] = {}
    for name, value in outcome.assigned.items():
        if isinstance(value, kind):
            found.setdefault(id(value), (name, value))
    return dict(found.values())


def _bind(deployment: Deployment) -> Application:
    """Bind with no arguments, which the constructor must allow."""
    target = deployment.func_or_class
    if inspect.isclass(target):
        try:
            inspect.signature(target).bind()
        except TypeError as error:
            name = target.__name__
            msg = f"{name} needs arguments ({error}); end the cell with {name}.bind(…)."
            raise UsageError(msg) from None
    return deployment.bind()


def _several_applications(names: list[str]) -> UsageError:
    return UsageError(
        f"this cell makes {len(names)} applications ({', '.join(names)}); "
        f"end it with the one to serve: {names[-1]}"
    )


def _several_deployments(names: list[str]) -> UsageError:
    return UsageError(
        f"this cell makes {len(names)} deployments ({', '.join(names)}); bind them and "
        f"end with the one that requests enter: {names[-1]}.bind({names[0]}.bind())"
    )


def _nothing_to_serve(outcome: Outcome) -> UsageError:
    plain = [
        name
        for name, value in outcome.assigned.items()
        if inspect.isclass(value) and value.__module__ == "__main__"
    ]
    if plain:
        return UsageError(
            f"{plain[-1]} is a plain class; write @serve.deployment above it "
            "(from workbench import serve) to serve it."
        )
    return UsageError(
        "this cell makes nothing to serve; write @serve.deployment above a class or "
        "function (from workbench import serve), or end the cell with an application."
    )
