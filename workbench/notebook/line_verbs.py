"""What each `%serve VERB` does: one question to the backend, and what is shown of it.

Called by `magics` with the line's words as `verbs` parsed them.
"""

import argparse
import json
from dataclasses import replace
from http import HTTPStatus

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from workbench.errors import WorkbenchError
from workbench.notebook.answer_view import answer_view
from workbench.notebook.arguments import nearest
from workbench.notebook.backend import Answer, Backend
from workbench.notebook.deploys import roll_back_and_show
from workbench.notebook.display import screen_for, show
from workbench.notebook.explanation_view import explanation_view
from workbench.notebook.logs import follow, tail_for
from workbench.notebook.logs_view import logs_view
from workbench.notebook.replica_errors import readable
from workbench.notebook.status_view import status_view
from workbench.notebook.tracebacks import name_cells
from workbench.notebook.versions_view import diff_view, versions_view
from workbench.spec.logs import LogQuery
from workbench.spec.status import ServeStatus

__all__ = ["LineVerbs"]

_TRACEBACK = "Traceback (most recent call last)"
# A traceback is on its way when the answer is there already.
_TRACEBACK_S = 2.0
# Those of composed deployments come one after the other.
_NEXT_S = 0.15


class LineVerbs:
    """The verbs of one shell."""

    def __init__(self, shell: InteractiveShell, backend: Backend) -> None:
        self._shell = shell
        self._backend = backend

    def run(self, verb: str, asked: argparse.Namespace) -> None:
        """Do what the verb says."""
        getattr(self, f"_{verb}")(asked)

    def _next(self, _asked: argparse.Namespace) -> None:
        self._show_status(explains=True)

    def _status(self, _asked: argparse.Namespace) -> None:
        self._show_status()

    def _query(self, asked: argparse.Namespace) -> None:
        value = None if asked.json is None else self._value(asked.json)
        answer = self._backend.query(asked.path, value)
        request_id = answer.headers.get("x-request-id", "")
        traceback = self._traceback_of(request_id) if _has_failed(answer) else ""
        more = f"`%serve logs --request-id {request_id}` shows what else was said."
        show(answer_view(answer, traceback, more if traceback else ""))
        if asked.out is not None:
            self._shell.user_ns[asked.out] = answer

    def _logs(self, asked: argparse.Namespace) -> None:
        query = LogQuery(
            app=asked.app,
            deployment=asked.deployment,
            replica=asked.replica,
            request_id=asked.request_id,
            level=asked.level,
            contains=asked.contains,
            source=asked.source,
            limit=asked.lines,
        )
        if asked.follow or asked.for_s is not None:
            tail = tail_for(self._shell, query, self._name_cells)
            follow(self._backend, query, tail, asked.for_s)
            return
        self._check_application(asked.app, "logs")
        page = self._backend.logs(query)
        show(logs_view(page.records, query, page.dropped, readable=self._name_cells))

    def _scale(self, asked: argparse.Namespace) -> None:
        app, _, deployment = asked.what.partition("/")
        served = self._check_application(app, "scale").applications
        known = list(served[app].deployments) if app in served else []
        if not deployment:
            if len(known) > 1:
                forms = " or ".join(f"`{app}/{name}`" for name in known)
                msg = f"%serve scale: {app} has several deployments; write {forms}"
                raise UsageError(msg)
            deployment = known[0]
        elif deployment not in known:
            like = nearest(deployment, known) or f"; it has: {', '.join(known)}"
            msg = f"%serve scale: {app} has no deployment {deployment!r}{like}"
            raise UsageError(msg)
        self._backend.scale(app, deployment, asked.replicas)
        self._show_status()

    def _explain(self, asked: argparse.Namespace) -> None:
        self._check_application(asked.app, "explain")
        told = self._backend.explain(asked.app)
        show(explanation_view(told.last(asked.lines, asked.deployment)))

    def _versions(self, asked: argparse.Namespace) -> None:
        self._check_application(asked.app, "versions")
        show(versions_view(self._backend.versions(asked.app), self._name_cells))

    def _diff(self, asked: argparse.Namespace) -> None:
        self._check_application(asked.app, "diff")
        show(diff_view(self._backend.diff(asked.app, asked.a, asked.b)))

    def _rollback(self, asked: argparse.Namespace) -> None:
        before = self._check_application(asked.app, "rollback")
        handle = roll_back_and_show(
            self._backend,
            asked.app,
            asked.version,
            before=before,
            screen=screen_for(self._shell),
        )
        if asked.out is not None:
            self._shell.user_ns[asked.out] = handle

    def _panel(self, asked: argparse.Namespace) -> None:
        # Live plots cost more to import than all the rest of the magics.
        from workbench.notebook.panel import panel  # noqa: PLC0415

        served = list(self._check_application(asked.app or "", "panel").applications)
        app = asked.app or (served[0] if len(served) == 1 else "default")
        if served and app not in served:
            msg = f"%serve panel: say which of {', '.join(served)}"
            raise UsageError(msg)
        display(panel(app))  # type: ignore[no-untyped-call]

    def _connect(self, asked: argparse.Namespace) -> None:
        self._backend.connect(asked.url, asked.token)
        self._show_status()

    def _doctor(self, _asked: argparse.Namespace) -> None:
        from workbench.notebook.doctor import diagnose  # noqa: PLC0415 - rarely called

        show(diagnose(self._shell))

    def _delete(self, asked: argparse.Namespace) -> None:
        self._check_application(asked.name, "delete")
        self._backend.delete(asked.name)
        self._show_status()

    def _shutdown(self, _asked: argparse.Namespace) -> None:
        self._backend.shutdown()
        self._show_status()

    def _show_status(self, *, explains: bool = False) -> None:
        status = self._backend.status()
        show(status_view(status, readable=self._name_cells, explains=explains))

    def _check_application(self, name: str, verb: str) -> ServeStatus:
        """The status; an application that is named must be in it."""
        status = self._backend.status()
        served = status.applications
        if name and name not in served:
            there = f"; there are: {', '.join(served)}" if served else "; nothing is"
            like = nearest(name, served) or there
            msg = f"%serve {verb}: {name!r} is not served{like}"
            raise UsageError(msg)
        return status

    def _traceback_of(self, request_id: str) -> str:
        """What the user's code raised in this request; empty if nothing is known."""
        query = LogQuery(request_id=request_id, level="ERROR", wait_s=_TRACEBACK_S)
        try:
            page = self._backend.logs(query)
            more = replace(query, after=page.next, wait_s=_NEXT_S)
            records = (*page.records, *self._backend.logs(more).records)
        except WorkbenchError:  # the answer is there: it is what was asked for
            return ""
        told = [each.text for each in records if _TRACEBACK in each.text]
        if not told:
            return ""
        # Of composed deployments each says it; the last one's tells the whole story.
        _, header, below = told[-1].partition(_TRACEBACK)
        return readable(self._shell, header + below)

    def _value(self, text: str) -> object:
        """JSON as it was written, or what a variable holds."""
        try:
            value: object = json.loads(text)
        except ValueError as error:
            if text not in self._shell.user_ns:
                msg = f"%serve query: {text!r} is neither JSON ({error}) nor a variable"
                raise UsageError(msg) from None
            value = self._shell.user_ns[text]
            _require_json(text, value)
        return value

    def _name_cells(self, text: str) -> str:
        return name_cells(self._shell, text)


def _has_failed(answer: Answer) -> bool:
    """Whether user code raised, as far as the answer tells."""
    is_error = answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    return is_error and "x-request-id" in answer.headers


def _require_json(name: str, value: object) -> None:
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        like = f"; try {name}.tolist()" if hasattr(value, "tolist") else ""
        msg = f"%serve query: {name} cannot be sent as JSON ({error}){like}"
        raise UsageError(msg) from None
