"""Deploying: the steps, the failures, the placement."""

import concurrent.futures
import os
import threading

import httpx
import pytest

from tests.integration.conftest import eventually
from workbench import api, serve
from workbench.errors import ConstructorError, DeployError, PlacementError
from workbench.serve.schema import ApplicationStatus
from workbench.spec.status import EventKind, Step


def make_model(*, answer="one", constant=1, **options):
    """A deployment whose method and constructor can be changed apart."""

    @serve.deployment(**options)
    class Model:
        def __init__(self, weight):
            self.weight = weight
            self.constant = constant
            self.identity = object()

        def reconfigure(self, config):
            self.config = config

        def __call__(self, request):
            return {
                "answer": answer,
                "constant": self.constant,
                "config": getattr(self, "config", None),
                "identity": id(self.identity),
            }

    return Model


def deploy(name, app, **options):
    """Deploy and return the steps taken by deployment."""
    made = api.deploy(app, name=name, route_prefix=f"/{name}", **options)
    return {e.deployment: e.step for e in made.events if e.kind is EventKind.STEP}


def test_the_least_step_is_taken(app_name, url, http):
    def step(app, **options):
        return deploy(app_name, app, may_keep=True, **options)["Model"]

    assert step(make_model().bind(5)) is Step.START
    first = http.get(url).json()
    assert step(make_model().bind(5)) is Step.NOTHING
    assert step(make_model(user_config={"k": 1}).bind(5)) is Step.RECONFIGURE
    configured = http.get(url).json()
    assert configured == {**first, "config": {"k": 1}}
    assert step(make_model(answer="two", user_config={"k": 1}).bind(5)) is Step.KEEP
    assert http.get(url).json() == {**configured, "answer": "two"}
    assert step(make_model(answer="two", constant=2).bind(5)) is Step.SWAP
    assert http.get(url).json()["constant"] == 2
    rolled = make_model(answer="two", constant=2, ray_actor_options={"num_cpus": 2})
    assert step(rolled.bind(5)) is Step.ROLL
    assert http.get(url).json()["constant"] == 2


def test_scripts_never_keep_an_instance(app_name, url, http):
    deploy(app_name, make_model().bind(5))

    assert deploy(app_name, make_model(answer="two").bind(5)) == {"Model": Step.SWAP}
    assert http.get(url).json()["answer"] == "two"


def test_only_the_deployment_that_changed_moves(app_name, url, http):
    def app(answer):
        @serve.deployment
        class Front:
            def __init__(self, model):
                self.model = model
                self.identity = object()

            async def __call__(self, request):
                return await self.model.remote(None)

        return Front.bind(make_model(answer=answer).bind(1))

    deploy(app_name, app("one"))

    assert deploy(app_name, app("two")) == {"Front": Step.NOTHING, "Model": Step.SWAP}
    assert http.get(url).json()["answer"] == "two"


@pytest.mark.parametrize("kind", ["keep", "swap", "roll"])
def test_no_request_is_lost_while_redeploying(app_name, url, kind):
    changes = {
        "keep": lambda n: make_model(answer=str(n)),
        "swap": lambda n: make_model(constant=n),
        "roll": lambda n: make_model(ray_actor_options={"num_cpus": 1 + n % 2}),
    }[kind]
    deploy(app_name, changes(0).bind(0))
    stop = threading.Event()

    def call():
        answers: list[int] = []
        with httpx.Client(timeout=30, trust_env=False) as client:
            while not answers or not stop.is_set():
                answers.append(client.get(url).status_code)
        return answers

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(call) for _ in range(4)]
        for number in range(1, 7):
            steps = deploy(app_name, changes(number).bind(0), may_keep=True)
            assert steps["Model"] == kind
        stop.set()
        answers = [code for caller in callers for code in caller.result()]

    assert set(answers) == {200}


def test_a_failing_constructor_raises_at_once_with_the_users_traceback(run, app_name):
    @serve.deployment
    class Broken:
        def __init__(self):
            raise OSError("no such weights")

    with pytest.raises(ConstructorError, match="no such weights") as caught:
        run(Broken.bind())

    assert isinstance(caught.value, RuntimeError)
    assert 'raise OSError("no such weights")' in str(caught.value)
    assert "workbench/replica" not in str(caught.value)
    found = serve.status().applications[app_name]
    assert found.status is ApplicationStatus.DEPLOY_FAILED


@pytest.mark.parametrize("change", ["constructor", "resources", "config"])
def test_a_failed_update_leaves_the_old_version_serving(
    run, app_name, url, http, change
):
    run(make_model().bind(1))
    before = http.get(url).json()

    @serve.deployment(
        name="Model",
        user_config={"bad": 1} if change == "config" else None,
        ray_actor_options={"num_gpus": 99} if change == "resources" else None,
    )
    class Bad:
        def __init__(self, weight):
            if change == "constructor":
                raise ValueError("bad weights")

        def reconfigure(self, config):
            raise ValueError("bad config")

    with pytest.raises(DeployError):
        run(Bad.bind(1))

    assert http.get(url).json() == before
    found = serve.status().applications[app_name]
    assert found.status is ApplicationStatus.DEPLOY_FAILED
    run(make_model(answer="mended").bind(1))
    assert http.get(url).json()["answer"] == "mended"
    assert serve.status().applications[app_name].status is ApplicationStatus.RUNNING


def test_what_cannot_be_placed_says_what_it_needs_and_what_there_is(run):
    @serve.deployment(ray_actor_options={"num_gpus": 2, "resources": {"tpu": 1}})
    def greedy():
        return 0

    with pytest.raises(PlacementError, match=r"needs 1 CPU and 2 GPU and 1 tpu.*0 tpu"):
        run(greedy.bind())


def test_replicas_share_the_load(run, app_name):
    @serve.deployment(num_replicas=3, max_ongoing_requests=1)
    class Who:
        def __call__(self):
            threading.Event().wait(0.05)
            return os.getpid()

    handle = run(Who.bind())
    calls = [handle.remote() for _ in range(30)]

    assert len({call.result(timeout_s=30) for call in calls}) == 3


def test_scaling_keeps_the_replicas_that_run(app_name, url):
    def replicas():
        found = serve.status().applications[app_name].deployments["Model"]
        return {each.id for each in found.replicas}

    deploy(app_name, make_model().bind(1))
    one = replicas()
    deploy(app_name, make_model(num_replicas=3).bind(1))
    three = replicas()
    deploy(app_name, make_model(num_replicas=1).bind(1))

    assert len(three) == 3
    assert one < three
    assert eventually(lambda: len(replicas()) == 1)


def test_two_applications_cannot_have_the_same_route(run, app_name):
    run(make_model().bind(1))

    with pytest.raises(DeployError, match=f"belongs to application '{app_name}'"):
        serve.run(make_model().bind(1), name="other", route_prefix=f"/{app_name}")


def test_the_same_object_is_one_deployment_and_equal_binds_are_two(run, app_name):
    @serve.deployment
    class Leaf:
        def __call__(self):
            return id(self)

    @serve.deployment
    class Root:
        def __init__(self, nested, again):
            self.nested, self.again = nested, again

        async def __call__(self):
            first = await self.nested["deep"][0].remote()
            return first == await self.again.remote()

    leaf = Leaf.bind()
    assert run(Root.bind({"deep": [leaf]}, leaf)).remote().result(timeout_s=30)
    run(Root.bind({"deep": [Leaf.bind()]}, Leaf.bind()))

    found = serve.status().applications[app_name].deployments
    assert set(found) == {"Root", "Leaf", "Leaf_1"}


def test_get_handles_from_anywhere(run, app_name):
    @serve.deployment
    class Peer:
        def __call__(self):
            return "peer"

    @serve.deployment
    class Asks:
        def __init__(self, peer):
            self.peer = serve.get_deployment_handle("Peer")
            self.context = serve.get_replica_context()

        async def __call__(self):
            return await self.peer.remote(), self.context.app_name

    run(Asks.bind(Peer.bind()))

    asks = serve.get_app_handle(app_name)
    peer = serve.get_deployment_handle("Peer", app_name)
    assert asks.remote().result(timeout_s=30) == ("peer", app_name)
    assert peer.remote().result(timeout_s=30) == "peer"
    with pytest.raises(KeyError):
        serve.get_deployment_handle("Nobody", app_name)
