"""Writes README.md beside this file from what the last conformance runs found.

`make conformance` runs the tests on Workbench, `make conformance-peer` on Ray Serve;
both call this.
"""

import json
from pathlib import Path

from tests.conformance.conftest import FOUND

HERE = Path(__file__).parent
_SIGNS = {"passed": "yes", "failed": "**no**", "skipped": "not run", "xfailed": "no"}


def main() -> None:
    """One row for each behaviour, in the order of the tests."""
    ours, theirs = _read("workbench"), _read("ray")
    lines = [
        "# What holds, feature by feature",
        "",
        "Made by `make conformance` and `make conformance-peer` from their last runs.",
        "The first column names the behaviour as Ray Serve 2.60 documents it; where",
        "Ray Serve does otherwise on purpose or by omission, the last column says how.",
        "",
        "| Behaviour | Workbench | Ray Serve | Difference |",
        "| --- | --- | --- | --- |",
    ]
    rows: dict[str, list[str]] = {}
    for test, found in ours.items():
        there = theirs.get(test, {}).get("outcome", "skipped")
        row = rows.setdefault(
            found["text"], [_SIGNS[found["outcome"]], _SIGNS[there], found["differs"]]
        )
        # One of several cases that does not hold makes the row not hold.
        row[0] = min(row[0], _SIGNS[found["outcome"]])
        row[1] = min(row[1], _SIGNS[there])
    lines += [f"| {text} | {' | '.join(row)} |" for text, row in rows.items()]
    (HERE / "README.md").write_text("\n".join(lines) + "\n")


def _read(system: str) -> dict[str, dict[str, str]]:
    path = FOUND / f"{system}.json"
    found: dict[str, dict[str, str]] = {}
    if path.exists():
        found = json.loads(path.read_text())
    return found


if __name__ == "__main__":
    main()
