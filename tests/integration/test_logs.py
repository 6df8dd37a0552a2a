"""What replicas say can be read: by whom, in which request, and after their end."""

# ruff: noqa: T201 - prints are what is tested

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.integration.conftest import eventually
from workbench import api, serve
from workbench.errors import ConstructorError, InstanceError, RemoteError
from workbench.spec.logs import LogQuery

_log = logging.getLogger("shop")


@serve.deployment
class Speaker:
    def __init__(self):
        print("made")
        logging.basicConfig(level=logging.INFO)

    async def __call__(self, request):
        said = request.query_params.get("say", "")
        print("printed", said)
        _log.info("logged %s", said)
        _log.debug("not even debugging")
        if request.query_params.get("fail"):
            raise ValueError(f"no {said}")
        return said

    def pid(self):
        print("asked for the pid")
        return os.getpid()


def records(app, **fields):
    """What the application said, oldest first."""
    return api.logs(LogQuery(app=app, wait_s=10, **fields)).records


def texts(app, **fields):
    return [each.text for each in records(app, **fields)]


def all_of(app, count, **fields):
    """The same once there are so many."""
    return eventually(
        lambda: len(found := records(app, **fields)) >= count and found, within_s=10
    )


def test_prints_and_log_records_carry_who_said_them(run, http, url, app_name):
    run(Speaker.bind())

    answer = http.get(url, params={"say": "a"}, headers={"x-request-id": "req-a"})

    assert answer.text == "a"
    printed, logged = all_of(app_name, 2, request_id="req-a")
    (replica,) = serve.status().applications[app_name].deployments["Speaker"].replicas
    assert (printed.text, printed.level, printed.source) == (
        "printed a",
        "INFO",
        "stdout",
    )
    assert (logged.text, logged.level, logged.source) == ("logged a", "INFO", "shop")
    assert {
        (each.app, each.deployment, each.replica) for each in (printed, logged)
    } == {(app_name, "Speaker", replica.id)}
    assert texts(app_name)[0] == "made"


def test_a_failed_request_leads_to_its_traceback(run, http, url, app_name):
    run(Speaker.bind())

    answer = http.get(url, params={"say": "b", "fail": "1"})

    assert answer.status_code == 500
    assert "ValueError" not in answer.text
    request_id = answer.headers["x-request-id"]
    found = records(app_name, request_id=request_id, level="ERROR")
    (traceback,) = found
    assert "ValueError: no b" in traceback.text
    assert 'raise ValueError(f"no {said}")' in traceback.text
    assert "workbench/replica" not in traceback.text


def test_filters_narrow_what_is_shown(run, http, url, app_name):
    run(Speaker.bind())
    for word in ("one", "two", "three"):
        http.get(url, params={"say": word})
    all_of(app_name, 7)

    assert texts(app_name, contains="TWO") == ["printed two", "logged two"]
    assert texts(app_name, limit=1) == ["logged three"]
    assert texts(app_name, contains="printed")[-1] == "printed three"
    assert api.logs(LogQuery(app=app_name, deployment="Other")).records == ()
    assert api.logs(LogQuery(app=app_name, replica="other")).records == ()
    assert api.logs(LogQuery(app=app_name, level="WARNING")).records == ()


def test_a_follower_sees_each_line_once(run, http, url, app_name):
    run(Speaker.bind())
    before = api.logs(LogQuery(app=app_name))
    seen: list[str] = []

    def follow():
        after = before.next
        while len(seen) < 6:
            page = api.logs(LogQuery(app=app_name, after=after, wait_s=30, limit=2))
            seen.extend(each.text for each in page.records)
            after = page.next

    follower = threading.Thread(target=follow)
    follower.start()
    for word in ("one", "two", "three"):
        http.get(url, params={"say": word})
    follower.join(30)

    assert seen == [
        f"{verb} {word}"
        for word in ("one", "two", "three")
        for verb in ("printed", "logged")
    ]


def test_a_failed_constructor_leaves_what_it_said(run, app_name):
    @serve.deployment
    class Broken:
        def __init__(self):
            print("before it breaks")
            raise RuntimeError("broken")

    with pytest.raises(ConstructorError, match="broken"):
        run(Broken.bind())

    printed, failed = all_of(app_name, 2)
    assert (printed.text, printed.deployment) == ("before it breaks", "Broken")
    assert (failed.level, "RuntimeError: broken" in failed.text) == ("ERROR", True)


def test_a_killed_replica_stays_readable_and_its_death_is_told(run, app_name):
    handle = run(Speaker.bind())
    pid = handle.pid.remote().result(timeout_s=30)
    (said,) = all_of(app_name, 1, contains="asked for")

    os.kill(pid, signal.SIGKILL)

    (death,) = all_of(app_name, 1, contains="its process died")
    assert (death.level, death.replica) == ("ERROR", said.replica)
    assert texts(app_name, replica=said.replica)[:2] == ["made", "asked for the pid"]
    # Its successor says so again, under its own name.
    made = all_of(app_name, 2, contains="made")
    assert len({each.replica for each in made}) == 2


def test_what_is_said_while_stopping_is_kept(run, app_name):
    @serve.deployment
    class Polite:
        def __call__(self):
            return "here"

        def __del__(self):
            print("good bye")

    run(Polite.bind())
    serve.delete(app_name)

    assert texts(app_name, contains="good bye") == ["good bye"]


def test_the_failure_of_an_inner_deployment_has_the_request_s_id(
    run, http, url, app_name
):
    @serve.deployment
    class Inner:
        def work(self, number):
            print("in a thread")
            return 1 / number

    @serve.deployment
    class Outer:
        def __init__(self, inner):
            self.inner = inner

        async def __call__(self, request):
            return await self.inner.work.remote(0)

    handle = run(Outer.bind(Inner.bind()))

    answer = http.get(url)

    request_id = answer.headers["x-request-id"]
    found = all_of(app_name, 3, request_id=request_id)
    by_deployment = {each.deployment: each for each in found if each.level == "ERROR"}
    assert set(by_deployment) == {"Inner", "Outer"}
    assert "return 1 / number" in by_deployment["Inner"].text
    assert [each.text for each in found if each.level == "INFO"] == ["in a thread"]
    del handle


def test_a_failed_call_by_handle_can_be_looked_up(run, app_name):
    @serve.deployment
    class Inner:
        def work(self):
            raise KeyError("nothing here")

    response = run(Inner.bind()).work.remote()

    with pytest.raises(RemoteError):
        response.result(timeout_s=30)
    assert response.request_id
    (found,) = records(app_name, request_id=response.request_id)
    assert "nothing here" in found.text


def test_a_failed_request_to_a_fastapi_app_leads_to_its_traceback(
    run, http, url, app_name
):
    web = FastAPI()

    @serve.deployment
    @serve.ingress(web)
    class Shop:
        @web.get("/{number}")
        def sell(self, number: int):
            print("selling", number)
            return 1 / number

    run(Shop.bind())

    answer = http.get(f"{url}/0")

    assert answer.status_code == 500
    request_id = answer.headers["x-request-id"]
    printed, failed = all_of(app_name, 2, request_id=request_id)
    assert printed.text == "selling 0"
    assert "return 1 / number" in failed.text
    assert failed.text.rstrip().endswith("ZeroDivisionError: division by zero")


def test_what_is_said_while_the_controller_is_away_is_told_later(
    run, http, url, app_name, instance
):
    run(Speaker.bind())
    before = serve.status().instance
    assert before is not None

    os.kill(before.pids["controller"], signal.SIGKILL)
    assert http.get(url, params={"say": "alone"}).text == "alone"

    def found():
        with contextlib.suppress(InstanceError):
            return "printed alone" in texts(app_name)

    assert eventually(found)


def test_what_is_written_still_goes_to_the_log_file(run, http, url, app_name, instance):
    run(Speaker.bind())
    http.get(url, params={"say": "to the file"})
    (replica,) = serve.status().applications[app_name].deployments["Speaker"].replicas

    with Path(f"/proc/{replica.pid}/fd/1").open() as file:
        assert "printed to the file\n" in file.read()


def test_the_command_line_shows_and_follows_logs(run, http, url, app_name):
    run(Speaker.bind())
    http.get(url, params={"say": "early"}, headers={"x-request-id": "req-early"})
    all_of(app_name, 3)
    command = [sys.executable, "-m", "workbench.cli", "logs", app_name, "-f"]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shown:
        assert shown.stdout is not None
        first = [shown.stdout.readline() for _ in range(3)]
        http.get(url, params={"say": "late"})
        then = shown.stdout.readline()
        shown.send_signal(signal.SIGINT)

    assert "INFO Speaker" in first[0]
    assert first[0].endswith("| made\n")
    assert first[1].endswith("req-early | printed early\n")
    assert then.endswith("| printed late\n")
    assert shown.returncode == 0


def test_bad_queries_say_what_may_be(instance):
    with pytest.raises(ValueError, match="level must be one of DEBUG"):
        LogQuery(level="LOUD")
