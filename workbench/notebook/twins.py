"""The plain Python that does what a magic does: what `--show-code` prints.

Pure but for reading the bound application. What is printed can be run as it stands, in
a script or a cell, without IPython.
"""

import argparse
import ast
import json
from typing import Any

from workbench.deployment import Application, Deployment
from workbench.notebook.cells import Outcome, find_application
from workbench.notebook.deploys import Wishes

__all__ = ["cell_twin", "line_twin"]

_SERVE = "from workbench import serve"


def cell_twin(body: str, outcome: Outcome, wishes: Wishes, route: str) -> str:
    """The cell as a script: its body, and the call that serves what it makes."""
    application = find_application(outcome)
    source = body.strip("\n")
    last = _last_expression(source)
    expression = _name_of(application, outcome)
    if isinstance(outcome.value, (Application, Deployment)) and last is not None:
        lines = source.splitlines()
        source = "\n".join(lines[: last.lineno - 1]).rstrip()
        expression = ast.get_source_segment(body.strip("\n"), last) or expression
        if isinstance(outcome.value, Deployment):
            expression = f"{expression}.bind()"
    imports = _missing_imports(source, wishes)
    scaled = "" if wishes.replicas is None else _scaled(wishes.replicas, expression)
    call = _run_call("app" if scaled else expression, wishes, route)
    return "\n".join(filter(None, [imports, source, "", scaled, call]))


def line_twin(verb: str, asked: argparse.Namespace) -> str:
    """The calls that do what `%serve VERB …` does."""
    return _LINES[verb](asked)


def _last_expression(source: str) -> ast.expr | None:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # magics among the lines
        return None
    last = tree.body[-1] if tree.body else None
    return last.value if isinstance(last, ast.Expr) else None


def _name_of(application: Application, outcome: Outcome) -> str:
    """An expression for what the cell assigned."""
    for name, value in outcome.assigned.items():
        if value is application:
            return name
    for name, value in outcome.assigned.items():
        if value is application.deployment:
            return f"{name}.bind()"
    return "app"


def _missing_imports(source: str, wishes: Wishes) -> str:
    needed = [] if _imports(source, "serve") else [_SERVE]
    if not wishes.waits and not _imports(source, "api"):
        needed.append("from workbench import api")
        if _gate(wishes):
            needed.append("from workbench.spec.gate import Gate")
    return "\n".join([*needed, ""]) if needed else ""


def _imports(source: str, name: str) -> bool:
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return f"import {name}" in source
    return any(
        (alias.asname or alias.name) == name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "workbench"
        for alias in node.names
    )


def _scaled(replicas: int, expression: str) -> str:
    return (
        f"app = {expression}\n"
        f"app = app.deployment.options(num_replicas={replicas})"
        ".bind(*app.args, **app.kwargs)"
    )


def _run_call(expression: str, wishes: Wishes, route: str) -> str:
    where = f"name={wishes.name!r}, route_prefix={route!r}{_gate(wishes)}"
    if wishes.waits:
        call = f"serve.run({expression}, {where})"
        after = ""
    else:
        call = f"api.deploy({expression}, {where}, wait=False)"
        after = ".handle"
    return f"{wishes.variable} = {call}{after}" if wishes.variable else call


def _gate(wishes: Wishes) -> str:
    """As `serve.run` and `api.deploy` take it."""
    smoke, guard = wishes.gate.smoke, wishes.gate.guard
    if not smoke and guard is None:
        return ""
    requests = [
        f"({each.path!r}, {_python(each.body)})" if each.body else repr(each.path)
        for each in smoke
    ]
    parts = [f"smoke=[{', '.join(requests)}]"] if smoke else []
    parts += [f"guard={guard.for_s:g}"] if guard else []
    given = ", ".join(parts)
    return f", {given}" if wishes.waits else f", gate=Gate.parse({given})"


def _status(_asked: argparse.Namespace) -> str:
    return f"{_SERVE}\n\nprint(serve.status())"


def _query(asked: argparse.Namespace) -> str:
    path = "/" + asked.path.lstrip("/")
    url = f"serve.status().instance.http_url + {path!r}"
    call = f"httpx.get({url})"
    if asked.json is not None:
        call = f"httpx.post({url}, json={_python(asked.json)})"
    answer = asked.out or "answer"
    return (
        f"import httpx\n\n{_SERVE}\n\n"
        f"{answer} = {call}\nprint({answer}.status_code, {answer}.text)"
    )


def _python(text: str) -> str:
    """JSON as Python writes it; what is no JSON is the name of a variable."""
    try:
        return repr(json.loads(text))
    except ValueError:
        return text


def _logs(asked: argparse.Namespace) -> str:
    fields: dict[str, Any] = {
        name: value
        for name in (
            "app",
            "deployment",
            "replica",
            "request_id",
            "level",
            "source",
            "contains",
        )
        if (value := getattr(asked, name))
    }
    fields["limit"] = asked.lines
    query = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    imports = "from workbench import api\nfrom workbench.spec.logs import LogQuery\n"
    if not asked.follow and asked.for_s is None:
        return (
            f"{imports}\nfor record in api.logs(LogQuery({query})).records:\n"
            "    print(record.level, record.deployment, record.text)"
        )
    until = 'float("inf")'
    if asked.for_s is not None:
        until = f"time.monotonic() + {asked.for_s:g}"
    return (
        f"import time\nfrom dataclasses import replace\n\n{imports}\n"
        f"query = LogQuery({query})\n"
        f"end = {until}\n"
        "while time.monotonic() < end:\n"
        "    page = api.logs(query)\n"
        "    for record in page.records:\n"
        "        print(record.level, record.deployment, record.text)\n"
        "    query = replace(query, after=page.next, wait_s=1.0)"
    )


def _scale(asked: argparse.Namespace) -> str:
    app, _, deployment = asked.what.partition("/")
    name = repr(deployment) if deployment else "deployment"
    lines = ["from workbench import api", ""]
    if not deployment:
        lines.append(f"(deployment,) = api.status().applications[{app!r}].deployments")
    return "\n".join([*lines, f"api.scale({app!r}, {name}, {asked.replicas})"])


def _explain(asked: argparse.Namespace) -> str:
    given = _arguments(asked.lines, asked.deployment or None)
    return f"{_SERVE}\n\nprint(serve.explain({asked.app!r}).last({given}))"


def _versions(asked: argparse.Namespace) -> str:
    return f"{_SERVE}\n\nprint(serve.versions({asked.app!r}))"


def _diff(asked: argparse.Namespace) -> str:
    return f"{_SERVE}\n\nprint(serve.diff({_arguments(asked.app, asked.a, asked.b)}))"


def _rollback(asked: argparse.Namespace) -> str:
    variable = f"{asked.out} = " if asked.out else ""
    call = f"serve.rollback({_arguments(asked.app, asked.version)})"
    return f"{_SERVE}\n\n{variable}{call}"


def _arguments(*given: str | int | None) -> str:
    return ", ".join(repr(each) for each in given if each is not None)


def _panel(asked: argparse.Namespace) -> str:
    return f"{_SERVE}\n\nserve.panel({repr(asked.app) if asked.app else ''})"


def _connect(asked: argparse.Namespace) -> str:
    # What is printed may be saved or shown: a token stays out of it.
    if asked.token is None:
        return f"{_SERVE}\n\nserve.connect({asked.url!r})"
    return (
        f"from getpass import getpass\n\n{_SERVE}\n\n"
        f'serve.connect({asked.url!r}, token=getpass("Token: "))'
    )


def _doctor(_asked: argparse.Namespace) -> str:
    return (
        "from workbench.notebook.doctor import diagnose\n\nprint(diagnose(None).text)"
    )


def _delete(asked: argparse.Namespace) -> str:
    return f"{_SERVE}\n\nserve.delete({asked.name!r})"


def _shutdown(_asked: argparse.Namespace) -> str:
    return f"{_SERVE}\n\nserve.shutdown()"


_LINES = {
    "status": _status,
    "query": _query,
    "logs": _logs,
    "scale": _scale,
    "explain": _explain,
    "versions": _versions,
    "diff": _diff,
    "rollback": _rollback,
    "panel": _panel,
    "connect": _connect,
    "doctor": _doctor,
    "delete": _delete,
    "shutdown": _shutdown,
}
