"""The number of replicas is changed while they serve."""

import contextlib
import os
import signal
import threading
from collections import Counter

import httpx
import pytest

from tests.integration.conftest import eventually
from workbench import api, serve
from workbench.cli import main
from workbench.errors import InstanceError, ScaleError, UnknownDeploymentError
from workbench.spec.logs import LogQuery
from workbench.spec.status import EventKind, Step


def make_echo(**options):
    @serve.deployment(**options)
    class Echo:
        async def __call__(self, request):
            return await request.json()

    return Echo


def status_of(app_name):
    return serve.status().applications[app_name]


def running(app_name):
    replicas = status_of(app_name).deployments["Echo"].replicas
    return {each.id for each in replicas if each.state == "RUNNING"}


def becomes(app_name, count):
    """Wait until so many replicas run, and no other is there any more."""
    return eventually(
        lambda: (
            len(running(app_name)) == count
            and sum(status_of(app_name).deployments["Echo"].replica_states.values())
            == count
        )
    )


@contextlib.contextmanager
def load(url):
    """Requests all the while; gives how many had which outcome."""
    outcomes: Counter[object] = Counter()
    ended = threading.Event()

    def ask():
        with httpx.Client(timeout=30, trust_env=False) as client:
            while not ended.is_set():
                try:
                    outcomes[client.post(url, json={"x": 1}).status_code] += 1
                except httpx.TransportError as error:
                    outcomes[repr(error)] += 1

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    try:
        yield outcomes
    finally:
        ended.set()
        for each in threads:
            each.join(30)


def test_scaling_up_and_down_under_load_loses_no_request(run, url, app_name):
    run(make_echo().bind())
    (first,) = running(app_name)

    with load(url) as outcomes:
        api.scale(app_name, "Echo", 3)
        assert status_of(app_name).deployments["Echo"].target_num_replicas == 3
        assert becomes(app_name, 3)
        assert first in running(app_name)
        api.scale(app_name, "Echo", 1)
        assert becomes(app_name, 1)

    assert set(outcomes) == {200}
    assert outcomes[200] > 50


def test_while_it_scales_an_application_runs(run, app_name):
    run(make_echo().bind())

    api.scale(app_name, "Echo", 2)

    assert status_of(app_name).status == "RUNNING"
    assert status_of(app_name).deployments["Echo"].status in {"UPDATING", "HEALTHY"}
    assert becomes(app_name, 2)
    assert status_of(app_name).deployments["Echo"].status == "HEALTHY"


def test_the_next_deploy_declares_the_number_again_and_says_so(run, app_name):
    app = make_echo().bind()
    run(app)
    api.scale(app_name, "Echo", 2)
    assert becomes(app_name, 2)

    made = api.deploy(app, name=app_name, route_prefix=f"/{app_name}")

    (step,) = [each for each in made.events if each.kind is EventKind.STEP]
    assert (step.step, step.reason) == (Step.RECONFIGURE, "num_replicas 2 → 1")
    assert becomes(app_name, 1)


def test_replicas_that_have_no_place_are_explained_and_hurt_nobody(
    run, url, http, app_name
):
    run(make_echo(ray_actor_options={"num_cpus": 6}).bind())

    api.scale(app_name, "Echo", 20)
    found = eventually(
        lambda: (
            "'Echo' needs 6 CPU"
            in (found := status_of(app_name)).deployments["Echo"].message
            and found
        )
    )

    assert found.status in {"RUNNING", "UNHEALTHY"}
    assert http.post(url, json=[1]).json() == [1]
    api.scale(app_name, "Echo", 1)
    assert becomes(app_name, 1)
    assert eventually(lambda: status_of(app_name).status == "RUNNING")
    assert status_of(app_name).deployments["Echo"].message == ""


def test_the_number_survives_the_controller(run, url, http, app_name):
    run(make_echo().bind())
    api.scale(app_name, "Echo", 2)
    assert becomes(app_name, 2)
    before = running(app_name)
    instance = serve.status().instance
    assert instance is not None
    after = api.logs(LogQuery()).next

    os.kill(instance.pids["controller"], signal.SIGKILL)

    def is_back():
        with contextlib.suppress(InstanceError, KeyError):
            return status_of(app_name).deployments["Echo"].target_num_replicas == 2

    assert eventually(is_back)
    assert becomes(app_name, 2)
    assert running(app_name) == before
    assert http.post(url, json=[1]).json() == [1]
    # Who followed the logs before goes on with the new controller.
    assert api.logs(LogQuery()).next > after


@pytest.mark.parametrize(
    ("app", "deployment", "says"),
    [("nowhere", "Echo", "no application 'nowhere'"), ("", "Other", "it has Echo")],
)
def test_unknown_names_say_what_there_is(run, app_name, app, deployment, says):
    run(make_echo().bind())

    with pytest.raises(UnknownDeploymentError, match=says) as caught:
        api.scale(app or app_name, deployment, 2)

    assert (app_name if app else "Echo") in str(caught.value)


def test_less_than_one_replica_cannot_be(run, app_name):
    run(make_echo().bind())

    with pytest.raises(ScaleError, match="num_replicas must be at least 1; got 0"):
        api.scale(app_name, "Echo", 0)

    assert status_of(app_name).deployments["Echo"].target_num_replicas == 1


def test_the_command_line_scales_too(run, app_name, capsys):
    run(make_echo().bind())

    assert main(["scale", app_name, "Echo", "2"]) == 0
    assert becomes(app_name, 2)
    assert main(["scale", app_name, "Other", "2"]) == 1

    said = capsys.readouterr()
    assert "Echo goes to 2 replicas." in said.out
    assert "it has Echo" in said.err
