"""Every step of a redeploy, for every kind of deployment.

What each edit of a cell does to the process, to what it holds, and to its answers.
"""

import itertools
import os
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI

from workbench import api, serve
from workbench.spec.status import EventKind, Step


def make_class(answer, constant, **options):
    @serve.deployment(name="Subject", **options)
    class Subject:
        def __init__(self):
            self.constant = constant
            self.calls = 0

        async def __call__(self, request):
            self.calls += 1
            return [answer, self.constant, self.calls, os.getpid()]

    return Subject


def make_function(answer, constant, **options):
    held = {"calls": 0}

    @serve.deployment(name="Subject", **options)
    def subject(request):
        held["calls"] += 1
        return [answer, constant, held["calls"], os.getpid()]

    return subject


def make_fastapi(answer, constant, **options):
    app = FastAPI()

    @serve.deployment(name="Subject", **options)
    @serve.ingress(app)
    class Subject:
        def __init__(self):
            self.constant = constant
            self.calls = 0

        @app.get("/")
        async def get(self):
            self.calls += 1
            return [answer, self.constant, self.calls, os.getpid()]

    return Subject


def make_batched(answer, constant, **options):
    @serve.deployment(name="Subject", **options)
    class Subject:
        def __init__(self):
            self.constant = constant
            self.calls = 0

        @serve.batch(max_batch_size=4, batch_wait_timeout_s=0.01)
        async def work(self, numbers):
            self.calls += 1
            return [[answer, self.constant, self.calls, os.getpid()] for _ in numbers]

        async def __call__(self, request):
            return await self.work(1)

    return Subject


def make_multiplexed(answer, constant, **options):
    @serve.deployment(name="Subject", **options)
    class Subject:
        def __init__(self):
            self.constant = constant

        @serve.multiplexed(max_num_models_per_replica=2)
        async def load(self, model_id):
            return {"calls": 0}

        async def __call__(self, request):
            model = await self.load("m")
            model["calls"] += 1
            return [answer, self.constant, model["calls"], os.getpid()]

    return Subject


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A change to the cell, and what it needs."""

    step: Step
    change: dict = field(default_factory=dict)
    keeps_process: bool = True


EDITS = (
    Edit(step=Step.NOTHING),
    Edit(step=Step.RECONFIGURE, change={"max_ongoing_requests": 7}),
    Edit(step=Step.KEEP, change={"answer": "two"}),
    Edit(step=Step.SWAP, change={"constant": 2}, keeps_process=False),
    Edit(
        step=Step.ROLL,
        change={"ray_actor_options": {"num_cpus": 0.5}},
        keeps_process=False,
    ),
)


def deploy(app, name, *, may_keep=True):
    """Deploy; returns the steps taken by deployment."""
    made = api.deploy(app, name=name, route_prefix=f"/{name}", may_keep=may_keep)
    return {e.deployment: e.step for e in made.events if e.kind is EventKind.STEP}


@pytest.mark.parametrize(
    "make",
    [make_class, make_function, make_fastapi, make_batched, make_multiplexed],
    ids=lambda make: make.__name__.removeprefix("make_"),
)
def test_each_edit_takes_its_step_and_keeps_what_it_can(app_name, url, http, make):
    parts = {"answer": "one", "constant": 1}
    assert deploy(make(**parts).bind(), app_name) == {"Subject": Step.START}
    *_, calls, pid = http.get(f"{url}/").json()

    for edit in EDITS:
        parts |= edit.change
        # A function has no constructor: only its code can change, and is kept if it may.
        may_keep = make is not make_function or edit.step is not Step.SWAP
        taken = deploy(make(**parts).bind(), app_name, may_keep=may_keep)
        before = calls, pid
        answer, constant, calls, pid = http.get(f"{url}/").json()

        assert taken == {"Subject": edit.step}
        assert (answer, constant) == (parts["answer"], parts["constant"])
        assert (pid == before[1]) is edit.keeps_process
        if make is not make_function or edit.step is not Step.KEEP:
            assert calls == (before[0] + 1 if edit.keeps_process else 1)


def test_of_a_composed_application_only_what_changed_moves(app_name, url, http):
    def app(*, front="one", middle="one", leaf=1):
        @serve.deployment
        class Leaf:
            def __init__(self):
                self.leaf = leaf

            async def look(self):
                return {"leaf": [self.leaf, os.getpid()]}

        @serve.deployment
        class Middle:
            def __init__(self, leaf):
                self.leaf = leaf

            async def look(self):
                below = await self.leaf.look.remote()
                return {"middle": [middle, os.getpid()], **below}

        @serve.deployment
        class Front:
            def __init__(self, middle):
                self.middle = middle
                self.front = front

            async def __call__(self, request):
                below = await self.middle.look.remote()
                return {"front": [self.front, os.getpid()], **below}

        return Front.bind(Middle.bind(Leaf.bind()))

    def others(seen, name):
        return {each: seen[each] for each in seen if each != name}

    deploy(app(), app_name)
    first = http.get(url).json()
    parts = {}
    for name, step, value in (
        ("middle", Step.KEEP, "two"),
        ("leaf", Step.SWAP, 2),
        ("front", Step.SWAP, "two"),
    ):
        parts[name] = value
        steps = deploy(app(**parts), app_name)
        seen = http.get(url).json()

        assert steps.pop(name.capitalize()) is step
        assert set(steps.values()) == {Step.NOTHING}
        assert others(seen, name) == others(first, name)
        assert seen[name][0] == value
        assert (seen[name][1] == first[name][1]) is (step is Step.KEEP)
        first = seen


_folders = itertools.count(1)


def test_edited_local_modules_travel_also_those_that_modules_import(
    app_name, url, http, tmp_path, monkeypatch
):
    number = next(_folders)
    near, far = tmp_path / f"near{number}.py", tmp_path / f"far{number}.py"
    near.write_text(
        f"import far{number}\n\ndef near():\n    return ['near', *far{number}.far()]\n"
    )
    far.write_text("def far():\n    return ['far']\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__(near.stem)

    @serve.deployment(name="Subject")
    class Subject:
        def __init__(self):
            self.calls = 0

        async def __call__(self, request):
            self.calls += 1
            return [*module.near(), self.calls, os.getpid()]

    def edit(path, before, after):
        path.write_text(path.read_text().replace(before, after))
        step = deploy(Subject.bind(), app_name)["Subject"]
        return step, http.get(url).json()

    deploy(Subject.bind(), app_name)
    *_, pid = http.get(url).json()

    assert edit(near, "'near'", "'nearer'") == (
        Step.KEEP,
        ["nearer", "far", 2, pid],
    )
    assert edit(far, "'far'", "'farther'") == (
        Step.KEEP,
        ["nearer", "farther", 3, pid],
    )
    assert edit(far, "def far", "# only said\ndef far")[0] is Step.NOTHING
