"""From nothing to the first answer, and what imports cost.

`python -m tests.bench.startup`
"""

import subprocess
import sys
import time
from statistics import median

import httpx

from tests.bench import peers
from tests.bench.report import publish

STARTS = 3
IMPORTS = 7
# A kernel has loaded these before the reader's first cell runs.
SHELL = (
    "import ipykernel.ipkernel; "
    "from IPython.core.interactiveshell import InteractiveShell; "
    "shell = InteractiveShell.instance()"
)
LOAD = "shell.run_line_magic('load_ext', 'workbench')"


def first_answer_s(command: list[str]) -> float:
    """Seconds from the start of a script to the answer of the app it serves."""
    begin = time.perf_counter()
    with peers.running(command) as process:
        url = process.hear("READY")
        httpx.post(f"{url}/", json={"text": "hello"}).raise_for_status()
        return time.perf_counter() - begin


def compare_starts() -> list[dict[str, object]]:
    """Workbench, Ray Serve as it comes and Ray Serve in its best mode, in turn."""
    with peers.isolated() as env:
        commands = {"workbench": [*env, *peers.server("workbench", "echo")]}
        if peers.has_ray_serve():
            theirs = peers.server("ray", "echo")
            best = ["env", *peers.RAY_SERVE_BEST_MODE, *theirs]
            commands |= {"ray serve": theirs, "ray serve, best mode": best}
        seen: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(STARTS):
            for name, command in commands.items():
                seen[name].append(first_answer_s(command))
    return [
        {
            "system": name,
            "first answer: median s": median(times),
            "least": min(times),
            "most": max(times),
            "workbench ÷ this": median(seen["workbench"]) / median(times),
        }
        for name, times in seen.items()
    ]


def import_s(statement: str, before: str = "pass") -> float:
    """The median time of a statement in a fresh interpreter that ran `before`."""
    code = (
        f"{before}; import time; begin = time.perf_counter(); {statement}; "
        "print(time.perf_counter() - begin)"
    )
    times = [float(output([sys.executable, "-c", code])) for _ in range(IMPORTS)]
    return median(times)


def heaviest_imports(statement: str, count: int = 12) -> str:
    """The modules that cost most by themselves, as `-X importtime` tells."""
    lines = output([sys.executable, "-X", "importtime", "-c", statement]).splitlines()
    rows = [line.removeprefix("import time:").split("|") for line in lines[1:]]
    rows.sort(key=lambda row: -int(row[0]))
    return "\n".join(f"{int(row[0]):>8} µs {row[2].strip()}" for row in rows[:count])


def output(command: list[str]) -> str:
    """What the command prints."""
    done = subprocess.run(
        command,
        cwd=peers.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


def main() -> None:
    """Imports first: they are quick."""
    statements = ("import workbench", "from workbench import serve", "import ray")
    rows = [{"statement": text, "median s": import_s(text)} for text in statements]
    rows.append({"statement": "%load_ext workbench", "median s": import_s(LOAD, SHELL)})
    publish("imports", rows, notes=heaviest_imports("from workbench import serve"))
    publish("startup", compare_starts())


if __name__ == "__main__":
    main()
