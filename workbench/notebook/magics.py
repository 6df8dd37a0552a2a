"""`%%serve` and `%serve`: parse the line, call one function, show what came."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import no_var_expand

from workbench.deployment import Application, Deployment
from workbench.errors import WorkbenchError
from workbench.notebook.arguments import HelpAsked, nearest
from workbench.notebook.backend import Backend
from workbench.notebook.cells import find_application, run_body
from workbench.notebook.completion import ServeMatcher
from workbench.notebook.deploys import Wishes, choose_route, deploy_and_show
from workbench.notebook.display import screen_for
from workbench.notebook.line_verbs import LineVerbs
from workbench.notebook.replica_errors import draw_error
from workbench.notebook.twins import cell_twin, line_twin
from workbench.notebook.verbs import CELL, VERBS, overview
from workbench.spec.application import Owner
from workbench.spec.gate import Gate

__all__ = ["ServeMagics"]

Matcher = Callable[..., object]


class ServeMagics:
    """The magics of one shell."""

    def __init__(self, shell: InteractiveShell, backend: Backend) -> None:
        self._shell = shell
        self._backend = backend
        self._lines = LineVerbs(shell, backend)
        self._matcher = ServeMatcher(
            backend.status, shell.user_ns, backend.versions
        ).matcher()

    def register(self) -> None:
        """Give the shell `%%serve` and `%serve`, their completion, and our errors."""
        register = self._shell.magics_manager.register_function
        register(self.serve_cell, magic_kind="cell", magic_name="serve")
        register(self.serve_line, magic_kind="line", magic_name="serve")
        matchers = self._matchers()
        matchers[:] = [each for each in matchers if not _is_ours(each)]
        matchers.append(self._matcher)
        WorkbenchError.draw_with(lambda error: draw_error(self._shell, error))

    def unregister(self) -> None:
        """Take all of it away; what is served goes on being served."""
        for kind in ("cell", "line"):
            self._shell.magics_manager.magics[kind].pop("serve", None)
        matchers = self._matchers()
        matchers[:] = [each for each in matchers if not _is_ours(each)]
        WorkbenchError.draw_with(None)

    @no_var_expand
    def serve_cell(self, line: str, cell: str) -> None:
        with _asides():
            asked = CELL.parse(line)
            outcome = run_body(self._shell, cell)
            wishes = self._wishes(asked)
            if asked.show_code:
                route, _ = choose_route(wishes, self._backend.status())
                print(cell_twin(cell, outcome, wishes, route))  # noqa: T201 - asked for
                return
            if not isinstance(outcome.value, (Application, Deployment, type(None))):
                self._shell.displayhook(outcome.value)
            deployed = deploy_and_show(
                self._backend,
                find_application(outcome),
                wishes,
                screen_for(self._shell),
            )
            if asked.out is not None:
                self._shell.user_ns[asked.out] = deployed.handle

    @no_var_expand
    def serve_line(self, line: str) -> None:
        verb, _, rest = line.strip().partition(" ")
        with _asides():
            if verb in {"help", "-h", "--help"}:
                raise HelpAsked(_help(rest.strip()))
            if verb.startswith("-"):
                verb, rest = "", line
            if verb not in {"", *VERBS}:
                raise _no_verb(verb)
            asked = VERBS[verb or "status"].parse(rest)
            if asked.show_code:
                print(line_twin(verb or "status", asked))  # noqa: T201 - asked for
            else:
                self._lines.run(verb or "next", asked)

    serve_cell.__doc__ = CELL.format_help()
    serve_line.__doc__ = overview()

    def _wishes(self, asked: argparse.Namespace) -> Wishes:
        return Wishes(
            name=asked.name,
            route=asked.route,
            replicas=asked.replicas,
            is_fresh=asked.fresh,
            waits=not asked.no_wait,
            variable=asked.out,
            owner=_owner(self._shell),
            gate=Gate.parse(asked.smoke, asked.guard),
        )

    def _matchers(self) -> list[Matcher]:
        matchers: list[Matcher] = self._shell.Completer.custom_matchers
        return matchers


@contextmanager
def _asides() -> Iterator[None]:
    """Answer `--help`."""
    try:
        yield
    except HelpAsked as asked:
        print(asked)  # noqa: T201 - asked for in a cell, shown in a cell


def _help(verb: str) -> str:
    if not verb:
        return overview()
    if verb not in VERBS:
        raise _no_verb(verb)
    return VERBS[verb].format_help()


def _no_verb(verb: str) -> UsageError:
    like = nearest(verb, [*VERBS, "help"], "%serve {}")
    return UsageError(
        f"%serve: no verb {verb!r}{like or '; `%serve help` lists them'} "
        "(%%serve, with two signs, serves a cell)"
    )


def _is_ours(matcher: Matcher) -> bool:
    return getattr(matcher, "matcher_identifier", "") == "workbench.serve"


def _owner(shell: InteractiveShell) -> Owner:
    """Who deploys: the notebook and the cell, as far as the front end tells."""
    # The first is set by Jupyter's server for the kernel, the second by VS Code.
    names = ("__session__", "__vsc_ipynb_file__")
    notebook = next(
        (shell.user_ns[name] for name in names if name in shell.user_ns), ""
    )
    request: dict[str, dict[str, object]] = getattr(shell, "get_parent", dict)()
    cell = request.get("metadata", {}).get("cellId", "")
    return Owner(notebook=str(notebook), cell=str(cell))
