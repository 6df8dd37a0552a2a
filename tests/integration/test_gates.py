"""New versions that do not stand their gate go by themselves, and say why."""

import contextlib
import os
import threading

import httpx
import psutil
import pytest

from tests.integration.conftest import eventually
from workbench import api, serve
from workbench.errors import GateError
from workbench.serve.schema import ApplicationStatus
from workbench.spec.gate import Gate
from workbench.spec.status import EventKind


def make_model(answer, *, constant=1):
    """Says its answer, or fails where that is None."""

    @serve.deployment(max_ongoing_requests=50)
    class Model:
        def __init__(self):
            self.constant = constant
            self.identity = str(id(self))

        async def __call__(self, request):
            if answer is None:
                raise ValueError("no answer")
            return {"answer": answer, "identity": self.identity, "pid": os.getpid()}

    return Model


def deploy(name, app, *, smoke=(), guard=None, **options):
    gate = Gate.parse(smoke, guard)
    return api.deploy(app, name=name, route_prefix=f"/{name}", gate=gate, **options)


def told(made):
    return [e.message for e in made.events if e.kind is EventKind.GATE]


def pids(name):
    """Of all replicas, whatever their state."""
    (found,) = serve.status().applications[name].deployments.values()
    return {each.pid for each in found.replicas if each.pid}


def outcome(name):
    newest = serve.versions(name)[0]
    return str(newest.outcome), newest.reason


@contextlib.contextmanager
def traffic(url, clients=4):
    """Requests without a pause; afterwards what they were answered is in the list."""
    stop, answers = threading.Event(), []

    def call():
        with httpx.Client(timeout=30, trust_env=False) as client:
            while not stop.is_set():
                answer = client.get(url)
                answers.append(
                    answer.json()["answer"]
                    if answer.status_code == 200
                    else answer.status_code
                )

    threads = [threading.Thread(target=call) for _ in range(clients)]
    for each in threads:
        each.start()
    try:
        yield answers
    finally:
        stop.set()
        for each in threads:
            each.join()


def test_a_version_that_stands_its_smoke_requests_goes_live(app_name, url, http):
    wanted = {"path": "/", "json": [1], "expect": 200}

    made = deploy(app_name, make_model("one").bind(), smoke=[wanted, "/x?y=1"])

    (said,) = told(made)
    assert said.startswith("Answered 2 smoke requests in")
    assert http.get(url).json()["answer"] == "one"


def test_a_new_replica_is_tried_before_it_takes_traffic(app_name, url):
    deploy(app_name, make_model("one").bind())
    with traffic(url) as answers:
        with pytest.raises(GateError, match=r"GET / answered 500: .*expected 200"):
            deploy(app_name, make_model(None, constant=2).bind(), smoke=["/"])
        with pytest.raises(GateError, match=r'expected "two"'):
            deploy(
                app_name,
                make_model("three", constant=3).bind(),
                smoke={"path": "/", "answer": "two"},
            )

    assert set(answers) == {"one"}
    how, reason = outcome(app_name)
    assert how == "reverted"
    assert 'expected "two"' in reason
    found = serve.status().applications[app_name]
    assert found.status is ApplicationStatus.DEPLOY_FAILED
    assert reason in found.message


def test_an_instance_that_was_kept_gets_its_old_methods_back(app_name, url, http):
    deploy(app_name, make_model("one").bind(), may_keep=True)
    before = http.get(url).json()

    with pytest.raises(GateError):
        deploy(app_name, make_model(None).bind(), may_keep=True, smoke=["/"])

    def is_back():
        answer = http.get(url)
        return answer.status_code == 200 and answer.json() == before

    assert eventually(is_back)


def test_a_first_deploy_that_answers_badly_runs_nothing(app_name, url, http):
    with pytest.raises(GateError):
        deploy(app_name, make_model(None).bind(), smoke=["/"])

    assert outcome(app_name)[0] == "failed"
    assert eventually(lambda: http.get(url).status_code == 503)


def test_of_a_composed_application_the_whole_is_tried(app_name):
    @serve.deployment
    class Front:
        def __init__(self, model):
            self.model = model

        async def __call__(self, request):
            return await self.model.remote(request.query_params.get("x"))

    @serve.deployment
    class Back:
        def __call__(self, x):
            return f"back {x}"

    smoke = {"path": "/?x=1", "answer": "back 1"}
    with pytest.raises(GateError, match=r"answered 200: back 1 \(expected"):
        deploy(app_name, Front.bind(Back.bind()), smoke=smoke)
    made = deploy(app_name, Front.bind(Back.bind()), smoke="/?x=1")

    assert told(made)


def test_functions_test_the_new_replica_by_a_handle(run, app_name, url, http):
    expected = "two"

    def answers(handle):
        assert handle.remote(None).result(timeout_s=30)["answer"] == expected

    async def answers_async(handle):
        return (await handle.remote(None))["answer"] == expected

    run(make_model("one").bind())
    with pytest.raises(GateError, match=r"Smoke test `answers` raised AssertionError"):
        run(make_model("three", constant=3).bind(), smoke=answers)
    with pytest.raises(GateError, match=r"`answers_async` returned False"):
        run(make_model("three", constant=3).bind(), smoke=["/", answers_async])
    assert http.get(url).json()["answer"] == "one"

    run(make_model("two", constant=2).bind(), smoke=["/", answers, answers_async])

    assert http.get(url).json()["answer"] == "two"
    # Also without whoever wrote the functions.
    serve.rollback(app_name, 1)
    serve.rollback(app_name, serve.versions(app_name)[1].number)
    assert http.get(url).json()["answer"] == "two"


@pytest.mark.parametrize("step", ["keep", "swap"])
def test_a_version_that_fails_under_real_traffic_goes_back_by_itself(
    app_name, url, step
):
    deploy(app_name, make_model("one").bind(), may_keep=True)
    bad = make_model(None, constant=1 if step == "keep" else 2).bind()
    seen = pids(app_name)
    with traffic(url) as answers:
        with pytest.raises(GateError, match=r"requests failed .*guard allows 5%"):
            deploy(
                app_name,
                bad,
                may_keep=True,
                guard=60,
                on_event=lambda _: seen.update(pids(app_name)),
            )
        eventually(lambda: answers[-20:] == ["one"] * 20)

    # Only what the bad version itself was asked has failed.
    assert set(answers) == {"one", 500}
    assert outcome(app_name)[0] == "reverted"

    assert (len(seen) == 1) is (step == "keep")
    assert eventually(lambda: len(pids(app_name)) == 1)
    gone = seen - pids(app_name)
    assert eventually(lambda: not any(map(psutil.pid_exists, gone)))


def test_a_version_that_does_well_stays_and_the_guard_says_what_it_saw(app_name, url):
    deploy(app_name, make_model("one").bind())
    with traffic(url, clients=1) as answers:
        made = deploy(app_name, make_model("two").bind(), guard=1)

    watched, seen = told(made)
    assert watched == "Serves; watched for 1 s."
    assert "0 failed" in seen
    assert set(answers) <= {"one", "two"}
    assert outcome(app_name) == ("live", "")


def test_a_newer_deploy_takes_over_while_one_is_watched(app_name, url, http):
    deploy(app_name, make_model("one").bind())
    deploy(app_name, make_model("two").bind(), guard=3600, wait=False)
    eventually(lambda: http.get(url).json()["answer"] == "two")

    deploy(app_name, make_model("three").bind())

    assert http.get(url).json()["answer"] == "three"
    outcomes = [str(each.outcome) for each in serve.versions(app_name)]
    assert outcomes == ["live", "replaced", "live"]


def test_a_crash_of_what_is_watched_is_a_failure_of_its_deploy(app_name, url, http):
    deploy(app_name, make_model("one").bind())
    deploy(app_name, make_model("two").bind(), guard=3600, wait=False)
    pid = eventually(
        lambda: (a := http.get(url).json())["answer"] == "two" and a["pid"]
    )

    os.kill(pid, 9)

    def is_back():
        answer = http.get(url)
        return answer.status_code == 200 and answer.json()["answer"] == "one"

    assert eventually(is_back)
    assert eventually(lambda: outcome(app_name)[0] == "failed")


def test_a_trial_goes_on_when_the_controller_comes_back(app_name, url, http):
    deploy(app_name, make_model("one").bind())
    deploy(app_name, make_model(None).bind(), guard=3600, wait=False)
    eventually(lambda: http.get(url).status_code == 500)
    found = serve.status().instance
    assert found is not None

    os.kill(found.pids["controller"], 9)

    def answers_again():
        return [http.get(url).status_code for _ in range(20)] == [200] * 20

    assert eventually(answers_again, within_s=60)
    assert eventually(lambda: outcome(app_name)[0] == "reverted")
