"""Re-running changed code while a client calls: when does the new code answer?

Timed from the moment the cell is run to the first answer of the new code, seen by a
client that calls all the while; with Ray Serve, from `serve.run` of the same change. For
one replica, for eight, and for an application of five deployments of which one changes.

`python -m tests.bench.redeploy [one|eight|five [workbench|ray [redeploys]]]`
"""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import httpx

from tests.bench import peers
from tests.bench.report import publish

CODE = """
import os
from {package} import serve

@serve.deployment(ray_actor_options={{"num_cpus": 0.1}})
class Other:
    def __call__(self):
        return 0

@serve.deployment(num_replicas={replicas}, ray_actor_options={{"num_cpus": {cpus}}})
class Answer:
    def __init__(self, *others):
        self.made_for = {made_for}

    async def __call__(self, request):
        return {{"version": {version}, "made_for": self.made_for, "pid": os.getpid()}}

app = Answer.bind(*(Other.options(name=f"Other{{n}}").bind() for n in range({others})))
"""
# Enough calls, one after the other, for each of eight replicas to get some.
_ASKED = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An application to redeploy."""

    name: str
    replicas: int = 1
    others: int = 0
    """Deployments that stay as they are."""
    redeploys: int
    peer_redeploys: int
    """Fewer: Ray Serve takes seconds for each."""
    refill_s: float = 3.0
    """For as many spare processes to be made as a redeploy takes."""


SHAPES = {
    "one": Shape(name="one replica", redeploys=15, peer_redeploys=4),
    "eight": Shape(
        name="eight replicas", replicas=8, redeploys=4, peer_redeploys=2, refill_s=12.0
    ),
    "five": Shape(name="five deployments", others=4, redeploys=10, peer_redeploys=3),
}
# Between redeploys: nobody edits faster.
EDIT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A kind of change to the code, and what it must do to the replicas."""

    name: str
    step: str
    changes_constructor: bool = False
    changes_resources: bool = False

    def code(self, version: int, shape: Shape, package: str) -> str:
        """The code as edited for the version."""
        return CODE.format(
            package=package,
            version=version,
            replicas=shape.replicas,
            others=shape.others,
            made_for=version if self.changes_constructor else 0,
            cpus=0.5 + 0.1 * (version % 2 if self.changes_resources else 0),
        )

    def check(self, before: set[int], after: set[int]) -> None:
        """Raise unless the processes changed as the step says."""
        if bool(before & after) != (self.step == "keep"):
            msg = f"not a {self.step}: processes {before} became {after}"
            raise RuntimeError(msg)


EDITS = (
    Edit(name="method", step="keep"),
    Edit(name="constructor", step="swap", changes_constructor=True),
    Edit(name="resources", step="roll", changes_resources=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A process that runs code, by which it is served."""

    process: peers.Process
    url: str = ""
    package: str
    magic: str = ""

    def run(self, edit: Edit, version: int, shape: Shape) -> dict[str, float]:
        """Run the code; when that began and how long it took."""
        return self.run_text(self.magic + edit.code(version, shape, self.package))

    def run_text(self, text: str) -> dict[str, float]:
        """Run a cell, as by Shift+Enter, or a program."""
        self.process.say(json.dumps(text))
        times: dict[str, float] = json.loads(self.process.hear("CELL"))
        return times


@contextmanager
def workbench(shape: Shape) -> Iterator[System]:
    """Cells of a notebook, which take the least step that suffices."""
    with (
        peers.isolated() as env,
        peers.running([*env, *peers.module("notebook")]) as kernel,
    ):
        kernel.hear("READY")
        made = System(
            process=kernel, package="workbench", magic="%%serve bench --route /\n"
        )
        made.run(EDITS[0], 0, shape)
        kernel.say(json.dumps("print('URL', serve.status().instance.http_url)"))
        url = kernel.hear("URL")
        kernel.hear("CELL")
        yield replace(made, url=url)


@contextmanager
def ray_serve(shape: Shape) -> Iterator[System]:
    """Programs that call `serve.run`, which begins new replicas for any change."""
    python = str(peers.RAY_SERVE_PYTHON)
    # Its start is not what is measured, and may take long on a busy machine.
    patient = "RAY_raylet_start_wait_time_s=120"
    command = ["env", "-u", "RAY_ADDRESS", patient, *peers.module("script", python)]
    with peers.running(command) as script:
        made = System(process=script, url=script.hear("READY"), package="ray")
        made.run(EDITS[0], 0, shape)
        yield made


SYSTEMS = {"workbench": workbench, "ray": ray_serve}


def measure(system: System, shape: Shape, edit: Edit, count: int) -> dict[str, object]:
    """Redeploy again and again under load; one row of the report."""
    began, took = {}, []
    uses_spare = system.package == "workbench" and edit.step != "keep"
    pause_s = shape.refill_s if uses_spare else EDIT_S
    system.run(edit, 0, shape)
    with peers.running([*peers.module("caller"), system.url]) as caller:
        caller.hear("READY")
        pause = threading.Event()
        for version in range(1, count + 1):
            pause.wait(pause_s)
            before = processes(system.url)
            times = system.run(edit, version, shape)
            began[str(version)] = times["began_s"]
            took.append(times["took_s"])
            if system.package == "workbench":
                edit.check(before, processes(system.url))
        caller.end_input()
        seen = json.loads(caller.hear("SEEN"))
    for example in seen["failure_examples"]:
        print(f"{system.package}, {edit.name}: failed call: {example}")
    waits = sorted(
        seen["first_seen_s"][version] - at_s for version, at_s in began.items()
    )
    return {
        "application": shape.name,
        "changed": edit.name,
        "by": "ray serve" if system.package == "ray" else f"workbench: {edit.step}",
        "redeploys": count,
        "pause s": pause_s,
        "new code answers: median ms": 1_000 * median(waits),
        "p99 ms": 1_000 * waits[min(len(waits) - 1, len(waits) * 99 // 100)],
        "all of it: median ms": 1_000 * median(took),
        "calls meanwhile": seen["calls"],
        "failed": seen["failures"],
    }


def processes(url: str) -> set[int]:
    """Of the replicas that answer."""
    with httpx.Client(trust_env=False) as client:
        return {client.get(url).json()["pid"] for _ in range(_ASKED)}


def main() -> None:
    """Measure each change to each application, by each system that there is."""
    shapes, systems, counts = [*sys.argv[1:], "", "", ""][:3]
    known = [name for name in SYSTEMS if name != "ray" or peers.has_ray_serve()]
    rows = []
    for shape in [SHAPES[shapes]] if shapes else SHAPES.values():
        for name in [systems] if systems else known:
            usual = shape.peer_redeploys if name == "ray" else shape.redeploys
            count = int(counts or usual)
            with SYSTEMS[name](shape) as system:
                for edit in EDITS:
                    rows.append(measure(system, shape, edit, count))
                    print(rows[-1], flush=True)
    publish("-".join(["redeploy", *filter(None, [shapes, systems])]), rows)


if __name__ == "__main__":
    main()
