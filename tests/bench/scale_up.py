"""How soon another replica answers, from the moment that somebody asks for it.

Seen by a client that calls all the while, of a deployment that loads no model: with
warm shells, and without any. `python -m tests.bench.scale_up [steps]`
"""

import json
import sys
import threading
from statistics import median

import httpx

from tests.bench import peers
from tests.bench.report import publish

STEPS = 10
# Between steps, for as many shells to be made ready.
PAUSE_S = 4.0
CELL = """%%serve bench --route /
import os
from workbench import api, serve

@serve.deployment(ray_actor_options={"num_cpus": 0.1})
class Answer:
    async def __call__(self, request):
        return {"version": os.getpid()}

app = Answer.bind()
"""
SCALE = 'api.scale("bench", "Answer", {count})'
URL = "print('URL', serve.status().instance.http_url)"


def measure(name: str, spare: int, steps: int) -> dict[str, object]:
    """One replica becomes two, again and again; a row of the report."""
    began = {}
    with peers.isolated() as env:
        command = [*env, f"WORKBENCH_SPARE_SHELLS={spare}", *peers.module("notebook")]
        with peers.running(command) as kernel:
            kernel.hear("READY")
            run_cell(kernel, CELL)
            kernel.say(json.dumps(URL))
            url = kernel.hear("URL")
            kernel.hear("CELL")
            with peers.running([*peers.module("caller"), url]) as caller:
                caller.hear("READY")
                for _ in range(steps):
                    threading.Event().wait(PAUSE_S)
                    [old] = processes(url, 1)
                    began_s = run_cell(kernel, SCALE.format(count=2))["began_s"]
                    [new] = processes(url, 2) - {old}
                    began[str(new)] = began_s
                    run_cell(kernel, SCALE.format(count=1))
                caller.end_input()
                seen = json.loads(caller.hear("SEEN"))
    waits = sorted(seen["first_seen_s"][pid] - at_s for pid, at_s in began.items())
    return {
        "shells": name,
        "steps": steps,
        "new replica answers: median ms": 1_000 * median(waits),
        "least": 1_000 * waits[0],
        "most": 1_000 * waits[-1],
        "calls meanwhile": seen["calls"],
        "failed": seen["failures"],
    }


def run_cell(kernel: peers.Process, cell: str) -> dict[str, float]:
    """Run a cell as by Shift+Enter; when it began and how long it took."""
    kernel.say(json.dumps(cell))
    times: dict[str, float] = json.loads(kernel.hear("CELL"))
    return times


def processes(url: str, count: int) -> set[int]:
    """The processes that answer, once they are so many."""
    with httpx.Client(trust_env=False) as client:
        while len(found := {client.get(url).json()["version"] for _ in range(20)}) != (
            count
        ):
            pass
    return found


def main() -> None:
    """Measure with shells and without."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    rows = [measure("warm", 2, steps), measure("none", 0, steps)]
    publish("scale_up", rows, notes=f"{PAUSE_S} s between steps.")


if __name__ == "__main__":
    main()
