"""What a benchmark found: a table to read, and a JSON file to keep."""

import datetime as dt
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "artifacts" / "bench"
_PACKAGES = ("serve-workbench", "ray", "uvicorn", "uvloop", "httptools", "msgspec")


def publish(name: str, rows: Sequence[Mapping[str, object]], notes: str = "") -> None:
    """Print the rows as a Markdown table and write them to artifacts/bench."""
    surroundings = describe_surroundings()
    print(f"\n## {name} ({surroundings['machine']})\n")
    print(table(rows))
    if notes:
        print(f"\n{notes}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    content = {"name": name, **surroundings, "notes": notes, "rows": rows}
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Lay rows out as Markdown, columns as in the first row."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns)]
    lines += [[_text(row.get(column, "")) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def describe_surroundings() -> dict[str, object]:
    """Say what the figures were measured on, with what, and when."""
    now = dt.datetime.now(dt.UTC)
    return {
        "machine": _machine(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "commit": _commit(),
        "date": now.isoformat(timespec="seconds"),
    }


def _machine() -> str:
    facts = Path("/proc/cpuinfo")
    if not facts.exists():
        return f"{platform.machine()}, {platform.system()}"
    cpus = [
        line.partition(":")[2].strip()
        for line in facts.read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{len(cpus)} × {cpus[0] if cpus else platform.machine()}, Linux"


def _commit() -> str:
    """The commit measured, marked if the tree differs from it."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _text(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
