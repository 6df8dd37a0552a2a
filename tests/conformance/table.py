"""Writes README.md beside this file from what the last conformance runs found.

`make conformance` runs the tests on Workbench, `make conformance-peer` on Ray Serve;
both call this. What has not been run here keeps the answer that the table has.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.conftest import FOUND

HERE = Path(__file__).parent
TABLE = HERE / "README.md"
_SIGNS = {"passed": "yes", "failed": "**no**", "skipped": "not run", "xfailed": "no"}
_NOT_RUN = _SIGNS["skipped"]
_HEAD = """\
# What holds, feature by feature

Made by `make conformance` and `make conformance-peer` from their last runs.
The first column names the behaviour as Ray Serve 2.60 documents it; where
Ray Serve does otherwise on purpose or by omission, the last column says how.

| Behaviour | Workbench | Ray Serve | Difference |
| --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What one test shows."""

    text: str
    differs: str


def main() -> None:
    """One row for each behaviour, in the order of the tests."""
    before = _answers_of_table()
    ours, theirs = _answers("workbench"), _answers("ray")
    rows: dict[str, list[str]] = {}
    for each in behaviours():
        own, other = before.get(each.text, (_NOT_RUN, _NOT_RUN))
        found = [ours.get(each.text, own), theirs.get(each.text, other)]
        rows[each.text] = [*found, each.differs]
    lines = [f"| {text} | {' | '.join(row)} |\n" for text, row in rows.items()]
    TABLE.write_text(_HEAD + "".join(lines))


def behaviours() -> Iterator[Behaviour]:
    """All that the tests beside this file say they show."""
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            marks = dict(map(_mark, node.decorator_list))
            if "behaviour" in marks:
                [differs] = marks.get("differs", [""])
                _, text = marks["behaviour"]
                yield Behaviour(text=text, differs=differs)


def _mark(decorator: ast.expr) -> tuple[str, list[str]]:
    if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Name):
        return "", []
    return decorator.func.id, [ast.literal_eval(each) for each in decorator.args]


def _answers(system: str) -> Mapping[str, str]:
    """What the last runs on a system found, by behaviour.

    One of several cases that does not hold makes the behaviour not hold.
    """
    path = FOUND / f"{system}.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    answers: dict[str, str] = {}
    for case in found.values():
        text, sign = case["text"], _SIGNS[case["outcome"]]
        answers[text] = min(answers.get(text, sign), sign)
    return answers


def _answers_of_table() -> Mapping[str, tuple[str, str]]:
    """What the table says now, by behaviour."""
    rows = [line.strip("| ").split(" | ") for line in TABLE.read_text().splitlines()]
    return {row[0]: (row[1], row[2]) for row in rows if len(row) >= 3}


if __name__ == "__main__":
    main()
