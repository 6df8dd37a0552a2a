"""Deployments that scale by themselves, with real replicas and short delays."""

import os
import signal

import pytest
from fastapi import FastAPI, WebSocket
from websockets.sync.client import connect

from tests.callers import load
from tests.integration.conftest import controller_pid, eventually
from tests.talk import generated
from workbench import api, serve
from workbench.cli import main
from workbench.errors import ScaleError
from workbench.serve.config import AutoscalingConfig, AutoscalingPolicy

QUICK = {
    "look_back_period_s": 1.0,
    "upscale_delay_s": 0.0,
    "downscale_delay_s": 1.0,
}


def make_slow(**scaling):
    config = AutoscalingConfig(**{**QUICK, **scaling})

    @serve.deployment(autoscaling_config=config, ray_actor_options={"num_cpus": 0.1})
    class Slow:
        async def __call__(self, request):
            import asyncio

            await asyncio.sleep(0.2)
            return "done"

    return Slow


def deployment_of(app_name):
    (found,) = serve.status().applications[app_name].deployments.values()
    return found


def target_of(app_name):
    return deployment_of(app_name).target_num_replicas


def test_load_brings_replicas_and_their_going_loses_no_call(run, url, app_name, capsys):
    run(make_slow(max_replicas=3).bind())
    assert target_of(app_name) == 1

    with load(url, 6) as statuses:
        assert eventually(
            lambda: deployment_of(app_name).replica_states == {"RUNNING": 3}
        )
        assert "3 were wanted" in deployment_of(app_name).scaling
    assert eventually(lambda: deployment_of(app_name).replica_states == {"RUNNING": 1})

    assert set(statuses) == {200}
    told = serve.explain(app_name)
    assert {"grew", "shrank"} <= {str(each.rule) for each in told}
    assert "grew" in repr(told)
    assert "<table" in told._repr_html_()
    assert main(["explain", app_name, "-n", "1"]) == 0
    titles, decision = capsys.readouterr().out.splitlines()[-2:]
    assert titles.split()[-2:] == ["rule", "why"]
    assert decision.split()[2] == "Slow"


def test_without_calls_nothing_runs_and_the_first_call_waits_for_a_replica(
    run, url, http, app_name
):
    handle = run(make_slow(min_replicas=0, downscale_to_zero_delay_s=1.0).bind())
    assert deployment_of(app_name).status == "HEALTHY"
    assert target_of(app_name) == 0

    assert http.get(url).status_code == 200
    assert serve.status().applications[app_name].status == "RUNNING"
    assert eventually(lambda: deployment_of(app_name).replica_states == {})
    assert handle.remote(None).result(timeout_s=30) == "done"


ASLEEP = {**QUICK, "min_replicas": 0, "downscale_to_zero_delay_s": 1.0}


def is_asleep(app_name):
    return deployment_of(app_name).replica_states == {}


def test_a_websocket_that_finds_no_replica_waits_for_one(run, url, app_name):
    app = FastAPI()

    @serve.deployment(autoscaling_config=ASLEEP)
    @serve.ingress(app)
    class Chat:
        @app.websocket("/")
        async def chat(self, socket: WebSocket):
            await socket.accept()
            async for text in socket.iter_text():
                await socket.send_text(f"you said {text}")

    run(Chat.bind())
    assert is_asleep(app_name)

    where = url.replace("http:", "ws:") + "/"
    with connect(where, proxy=None, open_timeout=60) as socket:
        socket.send("hello")
        assert socket.recv(timeout=30) == "you said hello"
        # A socket that is open is a call: its replica stays.
        assert deployment_of(app_name).replica_states == {"RUNNING": 1}


def test_a_grpc_call_that_finds_no_replica_waits_for_one(instance, run, app_name):
    grpc = pytest.importorskip("grpc", reason="needs the extra [grpc]")
    pb2, pb2_grpc = generated()

    @serve.deployment(autoscaling_config=ASLEEP)
    class Speaker:
        def Say(self, words):  # noqa: N802 - the RPC's name
            return pb2.Answer(text=f"you said {words.text}")

    run(Speaker.bind(), route_prefix=None)
    assert is_asleep(app_name)

    with grpc.insecure_channel(instance.grpc_address) as channel:
        answer = pb2_grpc.TalkStub(channel).Say(
            pb2.Words(text="hello"), metadata=[("application", app_name)], timeout=60
        )
    assert answer.text == "you said hello"


def test_a_controller_that_starts_again_scales_on_from_where_it_was(run, url, app_name):
    # Twice as much is asked for as may be: on a slow machine it is still enough.
    config = {"target_ongoing_requests": 1.0, "downscale_delay_s": 2.0}
    run(make_slow(max_replicas=3, **config).bind())

    with load(url, 6) as statuses:
        assert eventually(lambda: target_of(app_name) == 3)
        before = controller_pid()
        os.kill(before, signal.SIGKILL)
        assert eventually(lambda: controller_pid() not in {None, before})
        # Decisions of the controller that is there now, once all have told it.
        decided = eventually(lambda: tuple(serve.explain(app_name)))
        assert eventually(lambda: serve.explain(app_name)[-1].until_s > within(decided))
        assert {each.wanted for each in serve.explain(app_name)} == {3}
    assert eventually(lambda: target_of(app_name) == 1)

    assert set(statuses) == {200}


def within(decided):
    """A while after the first decision: longer than a decline takes."""
    return decided[0].at_s + 4.0


def test_a_policy_that_raises_is_named_and_hurts_nobody(run, url, http, app_name):
    def broken(ctx):
        raise ZeroDivisionError("no idea")

    policy = AutoscalingPolicy(policy_function=broken)
    run(make_slow(max_replicas=3, policy=policy).bind())

    assert eventually(lambda: "no idea" in deployment_of(app_name).scaling)
    assert target_of(app_name) == 1
    assert http.get(url).status_code == 200
    assert {str(each.rule) for each in serve.explain(app_name)} == {"policy failed"}


def test_a_class_is_a_policy_and_remembers(run, app_name):
    class Staircase:
        def __init__(self, top):
            self.top = top

        def __call__(self, ctx):
            step = ctx.policy_state.get("step", 0) + 1
            return min(step, self.top), {"step": step}

    policy = AutoscalingPolicy(policy_function=Staircase, policy_kwargs={"top": 2})
    run(make_slow(max_replicas=4, policy=policy).bind())

    assert eventually(lambda: deployment_of(app_name).replica_states == {"RUNNING": 2})


def test_a_policy_of_the_application_decides_on_all_its_deployments(run, app_name):
    def together(contexts, most):
        # With one of them alone there would be one of each.
        assert {key.app_name for key in contexts} == {contexts_app(contexts)}
        return {key: len(contexts) * most for key in contexts}, None

    def contexts_app(contexts):
        return next(iter(contexts.values())).app_name

    @serve.deployment(
        autoscaling_config={**QUICK, "max_replicas": 2},
        ray_actor_options={"num_cpus": 0.1},
    )
    class Leaf:
        def __call__(self):
            return "leaf"

    @serve.deployment(
        autoscaling_config={**QUICK, "max_replicas": 3},
        ray_actor_options={"num_cpus": 0.1},
    )
    class Root:
        def __init__(self, leaf):
            self.leaf = leaf

    policy = {"policy_function": together, "policy_kwargs": {"most": 1}}
    run(Root.bind(Leaf.bind()), autoscaling_policy=policy)

    def counts():
        found = serve.status().applications[app_name].deployments
        return {name: each.replica_states for name, each in found.items()}

    two = {"RUNNING": 2}
    assert eventually(lambda: counts() == {"Root": two, "Leaf": two})
    told = [each for each in serve.explain(app_name) if each.proposed == 2]
    assert {each.deployment for each in told} == {"Root", "Leaf"}
    assert {each.policy.rpartition(".")[2] for each in told} == {
        "together of the application"
    }
    assert {each.rule for each in told} == {"grew", "fits"}
    assert "together of the application" in repr(serve.explain(app_name))


def test_a_hand_leads_within_the_bounds(run, app_name):
    run(make_slow(max_replicas=3, downscale_delay_s=600.0).bind())

    api.scale(app_name, "Slow", 2)

    assert eventually(lambda: deployment_of(app_name).replica_states == {"RUNNING": 2})
    assert "by hand" in deployment_of(app_name).scaling
    with pytest.raises(ScaleError, match="autoscaled between 1 and 3"):
        api.scale(app_name, "Slow", 4)


def test_a_redeploy_keeps_as_many_as_there_are(run, app_name):
    run(make_slow(max_replicas=3, downscale_delay_s=600.0).bind())
    api.scale(app_name, "Slow", 2)

    run(make_slow(max_replicas=4, downscale_delay_s=600.0).bind())

    assert target_of(app_name) == 2
