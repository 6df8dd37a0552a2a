"""`%%serve` and `%serve`: parse the line, call one function, show what came."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import no_var_expand

from workbench.deployment import Application, Deployment
from workbench.errors import WorkbenchError
from workbench.notebook.answer_view import answer_view
from workbench.notebook.arguments import CELL, VERBS, HelpAsked, nearest, overview
from workbench.notebook.backend import Backend
from workbench.notebook.cells import find_application, run_body
from workbench.notebook.deploys import Wishes, deploy_and_show
from workbench.notebook.display import screen_for, show
from workbench.notebook.status_view import status_view
from workbench.notebook.tracebacks import name_cells
from workbench.spec.application import Owner

__all__ = ["ServeMagics"]


class ServeMagics:
    """The magics of one shell."""

    def __init__(self, shell: InteractiveShell, backend: Backend) -> None:
        self._shell = shell
        self._backend = backend
        self._verbs = {
            "status": self._status,
            "delete": self._delete,
            "shutdown": self._shutdown,
            "connect": self._connect,
            "query": self._query,
        }

    def register(self) -> None:
        """Give the shell `%%serve` and `%serve`."""
        register = self._shell.magics_manager.register_function
        register(self.serve_cell, magic_kind="cell", magic_name="serve")
        register(self.serve_line, magic_kind="line", magic_name="serve")

    @no_var_expand
    def serve_cell(self, line: str, cell: str) -> None:
        with self._asides():
            asked = CELL.parse(line)
            outcome = run_body(self._shell, cell)
            if not isinstance(outcome.value, (Application, Deployment, type(None))):
                self._shell.displayhook(outcome.value)
            wishes = Wishes(
                name=asked.name,
                route=asked.route,
                replicas=asked.replicas,
                is_fresh=asked.fresh,
                waits=not asked.no_wait,
                variable=asked.out,
                owner=_owner(self._shell),
            )
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
        if verb in {"help", "-h", "--help"}:
            print(overview())  # noqa: T201 - asked for in a cell, shown in a cell
        elif verb in {"", *self._verbs}:
            with self._asides():
                self._verbs[verb or "status"](rest.strip())
        else:
            like = nearest(verb, self._verbs, "%serve {}")
            msg = (
                f"%serve: no verb {verb!r}{like or '; `%serve help` lists them'} "
                "(%%serve, with two signs, serves a cell)"
            )
            raise UsageError(msg)

    serve_cell.__doc__ = CELL.format_help()
    serve_line.__doc__ = overview()

    def _status(self, line: str) -> None:
        VERBS["status"].parse(line)
        self._show_status()

    def _delete(self, line: str) -> None:
        name = VERBS["delete"].parse(line).name
        served = self._backend.status().applications
        if name not in served:
            there = f"; there are: {', '.join(served)}" if served else "; nothing is"
            msg = (
                f"%serve delete: {name!r} is not served{nearest(name, served) or there}"
            )
            raise UsageError(msg)
        self._backend.delete(name)
        self._show_status()

    def _shutdown(self, line: str) -> None:
        VERBS["shutdown"].parse(line)
        self._backend.shutdown()
        self._show_status()

    def _connect(self, line: str) -> None:
        asked = VERBS["connect"].parse(line)
        self._backend.connect(asked.url, asked.token)
        self._show_status()

    def _query(self, line: str) -> None:
        # The rest of the line is JSON as it stands: its quotes are its own.
        path, _, body = line.partition(" ")
        asked = VERBS["query"].parse_words([*filter(None, (path, body.strip()))])
        value = None if asked.json is None else self._value(asked.json)
        show(answer_view(self._backend.query(asked.path, value)))

    def _value(self, text: str) -> object:
        """JSON as it was written, or what a variable holds."""
        try:
            value: object = json.loads(text)
        except ValueError as error:
            if text not in self._shell.user_ns:
                msg = f"%serve query: {text!r} is neither JSON ({error}) nor a variable"
                raise UsageError(msg) from None
            value = self._shell.user_ns[text]
            self._require_json(text, value)
        return value

    @staticmethod
    def _require_json(name: str, value: object) -> None:
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            like = f"; try {name}.tolist()" if hasattr(value, "tolist") else ""
            msg = f"%serve query: {name} cannot be sent as JSON ({error}){like}"
            raise UsageError(msg) from None

    def _show_status(self) -> None:
        show(status_view(self._backend.status(), readable=self._name_cells))

    @contextmanager
    def _asides(self) -> Iterator[None]:
        """Answer `--help`; in errors, call cells as the reader does."""
        try:
            yield
        except HelpAsked as asked:
            print(asked)  # noqa: T201 - as above
        except WorkbenchError as error:
            error.message = self._name_cells(error.message).rstrip()
            raise

    def _name_cells(self, text: str) -> str:
        return name_cells(self._shell, text)


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
