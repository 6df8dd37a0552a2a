"""Batched methods in real replicas."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from workbench import api, serve
from workbench.spec.status import EventKind, Step


@serve.deployment(max_ongoing_requests=32)
class Doubler:
    def __init__(self):
        self.sizes = []

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.05)
    async def double(self, numbers):
        self.sizes.append(len(numbers))
        return [ValueError("odd one") if n == 13 else 2 * n for n in numbers]

    async def __call__(self, request):
        return await self.double(await request.json())

    def seen(self):
        return self.sizes


@pytest.fixture
def handle(run):
    return run(Doubler.bind())


def test_requests_are_run_together_and_answered_apart(handle, http, url):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: http.post(url, json=n).json(), range(12)))

    assert answers == [2 * n for n in range(12)]
    assert max(handle.seen.remote().result()) > 1


def test_one_item_fails_without_its_neighbours(handle):
    calls = [handle.double.remote(n) for n in (12, 13, 14)]

    assert calls[0].result() == 24
    with pytest.raises(ValueError, match="odd one"):
        calls[1].result()
    assert calls[2].result() == 28


def test_a_changed_batch_function_takes_over_the_living_object(app_name, instance):
    def make(word):
        @serve.deployment(max_ongoing_requests=32)
        class Model:
            def __init__(self):
                self.made = id(object())

            @serve.batch(batch_wait_timeout_s=0.01)
            async def __call__(self, items):
                return [(word, self.made) for _ in items]

        return Model.bind()

    def deploy(word):
        deployed = api.deploy(
            make(word), name=app_name, route_prefix=None, may_keep=True
        )
        [step] = [e.step for e in deployed.events if e.kind is EventKind.STEP]
        return step, deployed.handle.remote(0).result()

    _, (word, made) = deploy("first")
    assert word == "first"
    assert deploy("first") == (Step.NOTHING, ("first", made))
    assert deploy("second") == (Step.KEEP, ("second", made))
