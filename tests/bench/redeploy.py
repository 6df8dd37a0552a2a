"""Re-running a changed cell while a client calls: when does the new code answer?

Timed from the moment the cell is run to the first answer of the new code, seen by a
client that calls all the while. `python -m tests.bench.redeploy [redeploys]`
"""

import json
import sys
import threading
from dataclasses import dataclass
from statistics import median

import httpx

from tests.bench import peers
from tests.bench.report import publish

REDEPLOYS = 50
# Between redeploys: nobody edits faster, and spare processes are made ready meanwhile.
PAUSE_S = 1.5

CELL = """%%serve bench --route /
import os
from workbench import serve

@serve.deployment(ray_actor_options={{"num_cpus": {cpus}}})
class Answer:
    def __init__(self):
        self.made_for = {made_for}

    async def __call__(self, request):
        return {{"version": {version}, "made_for": self.made_for, "pid": os.getpid()}}

app = Answer.bind()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A kind of change to the cell, and what it must do to the replica."""

    step: str
    changes_constructor: bool = False
    changes_resources: bool = False

    def cell(self, version: int) -> str:
        """The cell as edited for the version."""
        return CELL.format(
            version=version,
            made_for=version if self.changes_constructor else 0,
            cpus=0.5 + 0.1 * (version % 2 if self.changes_resources else 0),
        )

    def check(self, before: dict[str, object], after: dict[str, object]) -> None:
        """Raise unless the replica changed as the step says."""
        if (before["pid"] == after["pid"]) != (self.step == "keep"):
            msg = f"not a {self.step}: {before} became {after}"
            raise RuntimeError(msg)


EDITS = (
    Edit(step="keep"),
    Edit(step="swap", changes_constructor=True),
    Edit(step="roll", changes_resources=True),
)


def measure(
    kernel: peers.Process, url: str, edit: Edit, count: int
) -> dict[str, object]:
    """Redeploy again and again under load; one row of the report."""
    began, took = {}, []
    run_cell(kernel, edit.cell(0))
    with peers.running([*peers.module("caller"), url]) as caller:
        caller.hear("READY")
        pause = threading.Event()
        for version in range(1, count + 1):
            before = httpx.get(url).json()
            times = run_cell(kernel, edit.cell(version))
            began[str(version)] = times["began_s"]
            took.append(times["took_s"])
            edit.check(before, httpx.get(url).json())
            pause.wait(PAUSE_S)
        caller.end_input()
        seen = json.loads(caller.hear("SEEN"))
    for example in seen["failure_examples"]:
        print(f"{edit.step}: failed call: {example}")
    waits = sorted(
        seen["first_seen_s"][version] - at_s for version, at_s in began.items()
    )
    return {
        "step": edit.step,
        "redeploys": count,
        "new code answers: median ms": 1_000 * median(waits),
        "p99 ms": 1_000 * waits[min(len(waits) - 1, len(waits) * 99 // 100)],
        "cell done: median ms": 1_000 * median(took),
        "calls meanwhile": seen["calls"],
        "failed": seen["failures"],
    }


def run_cell(kernel: peers.Process, cell: str) -> dict[str, float]:
    """Run a cell as by Shift+Enter; when it began and how long it took."""
    kernel.say(json.dumps(cell))
    times: dict[str, float] = json.loads(kernel.hear("CELL"))
    return times


def ask_url(kernel: peers.Process) -> str:
    """Where the notebook's instance answers."""
    kernel.say(json.dumps("print('URL', serve.status().instance.http_url)"))
    url = kernel.hear("URL")
    kernel.hear("CELL")
    return url


def main() -> None:
    """Measure each step in one notebook."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else REDEPLOYS
    with peers.isolated() as env:
        command = [*env, *peers.module("notebook")]
        with peers.running(command) as kernel:
            kernel.hear("READY")
            run_cell(kernel, EDITS[0].cell(0))
            url = ask_url(kernel)
            rows = [measure(kernel, url, edit, count) for edit in EDITS]
    publish("redeploy", rows, notes=f"{PAUSE_S} s between redeploys.")


if __name__ == "__main__":
    main()
