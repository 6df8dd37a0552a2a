"""Each route asks the instance it names, and answers in words when it cannot."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading

import pytest
from tornado.httpclient import HTTPClientError

from tests.sidebar.fake_instance import FakeInstance
from tests.sidebar.waiting import eventually
from workbench import __version__
from workbench.sidebar import desk
from workbench.spec.logs import LogQuery

SCALE = ("instances", "i1", "applications", "a", "deployments", "d", "scale")


async def test_the_list_is_empty_when_nothing_runs(ask):
    listed = {"instances": [], "server_version": __version__}

    assert await ask("GET", "instances") == (200, listed)


async def test_the_list_says_of_each_instance_how_it_is(instance, announce, ask):
    with FakeInstance("i2", version="9.9.9") as other:
        announce(instance, is_kept=False)
        announce(other, token="another")
        _, listed = await ask("GET", "instances")

    second, first = listed["instances"]
    assert first == {
        "id": "i1",
        "url": instance.url,
        "is_remote": False,
        "is_kept": False,
        "version": __version__,
        "problem": None,
    }
    assert second["problem"]["kind"] == "wrong_token"


async def test_an_instance_that_hangs_does_not_hold_up_the_list(
    instance, announce, ask, monkeypatch
):
    monkeypatch.setattr(desk, "_PROBE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        instance.url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        announce(instance)

        _, listed = await ask("GET", "instances")

    assert listed["instances"][0]["problem"]["kind"] == "controller_away"


async def test_scaling_asks_the_instance(instance, announce, ask):
    announce(instance)

    answer = await ask("PUT", *SCALE, body={"num_replicas": 3})

    assert answer == (200, {"scaled": True})
    assert instance.asked == [("scale", "a", "d", 3)]


async def test_what_the_instance_refuses_is_handed_on_with_its_advice(
    instance, announce, ask
):
    announce(instance)

    status, said = await ask("PUT", *SCALE, body={"num_replicas": 0})

    assert status == 400
    assert "at least 1 replica" in said["message"]
    assert said["remedy"]


@pytest.mark.parametrize("body", [{}, {"num_replicas": "three"}, [], "x"])
async def test_a_body_that_cannot_be_read_says_where(instance, announce, ask, body):
    announce(instance)

    status, said = await ask("PUT", *SCALE, body=body)

    assert (status, instance.asked) == (400, [])
    assert said["message"].startswith("The request cannot be read")


async def test_an_application_is_deleted(instance, announce, ask):
    announce(instance)

    answer = await ask("DELETE", "instances", "i1", "applications", "my app")

    assert answer == (200, {"deleted": True})
    assert instance.asked == [("delete", "my app")]


async def test_an_application_that_is_not_there_cannot_be_deleted(
    instance, announce, ask
):
    announce(instance)

    status, said = await ask("DELETE", "instances", "i1", "applications", "unknown")

    assert (status, said["message"]) == (404, "There is no application 'unknown'.")


async def test_logs_pass_through_with_their_filters(instance, announce, ask):
    announce(instance)
    filters = {"deployment": "d", "contains": " a&b", "after": "5", "17999999": ""}

    answer = await ask("GET", "instances", "i1", "logs", params=filters)

    assert answer == (200, {"records": [], "next": 7, "dropped": 0})
    query = LogQuery(deployment="d", contains=" a&b", after=5)
    assert instance.asked == [("logs", query)]


async def test_a_filter_that_cannot_be_read_is_refused(instance, announce, ask):
    announce(instance)

    status, said = await ask(
        "GET", "instances", "i1", "logs", params={"after": "yesterday"}
    )

    assert (status, instance.asked) == (400, [])
    assert "$.after" in said["message"]


async def test_a_wait_for_logs_ends_with_who_waited(instance, announce, jp_fetch):
    announce(instance)

    with pytest.raises(HTTPClientError):
        await jp_fetch(
            *("workbench", "instances", "i1", "logs"),
            params={"wait_s": "30"},
            request_timeout=0.5,
        )

    assert instance.asked == [("logs", LogQuery(wait_s=30.0))]
    await eventually(lambda: "workbench-logs" not in running_tasks())


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("PUT", SCALE, {"num_replicas": 1}),
        ("DELETE", SCALE[:4], None),
        ("DELETE", SCALE[:2], None),
        ("GET", (*SCALE[:2], "logs"), None),
    ],
)
async def test_an_instance_that_is_gone_is_not_found(ask, verb, path, body):
    status, said = await ask(verb, *path, body=body)

    assert (status, said["message"]) == (404, "There is no instance 'i1'.")
    assert said["remedy"]


async def test_an_instance_that_is_silent_is_said_to_be(instance, announce, ask):
    announce(instance)
    instance.go()

    status, said = await ask("PUT", *SCALE, body={"num_replicas": 1})

    assert status == 502
    assert said["message"] == "The controller of this instance does not answer."


async def test_stopping_waits_until_the_instance_is_gone(
    instance, announce, ask, jp_runtime_dir
):
    file = announce(instance)
    instance.on_shutdown = lambda: file.remove(jp_runtime_dir)

    answer = await ask("DELETE", "instances", "i1")

    assert answer == (200, {"stopped": True})
    assert instance.asked == [("shutdown",)]


async def test_an_instance_that_ends_as_it_was_told_is_no_problem(
    instance, announce, ask, open_page, jp_runtime_dir
):
    file = announce(instance)
    page = await open_page()
    await page.listing(lambda found: found[0].version)
    instance.on_shutdown = lambda: file.remove(jp_runtime_dir)

    await ask("DELETE", "instances", "i1")
    await page.listing(lambda found: not found)

    lists = [each.instances for each in page.read if hasattr(each, "instances")]
    assert not [each for found in lists for each in found if each.problem]


@pytest.fixture
def process():
    """Starts a process that waits; `workbench.launcher` may be among its arguments."""
    started = []

    def start(*arguments):
        code = "import sys; sys.stdin.read()"
        made = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE
        )
        # Else its id would stay taken.
        threading.Thread(target=made.wait, daemon=True).start()
        started.append(made)
        return made

    yield start
    for each in started:
        each.communicate()


async def test_an_instance_whose_controller_is_away_can_be_stopped(
    instance, announce, ask, process
):
    launcher = process("workbench.launcher")
    announce(instance, pid=launcher.pid)
    instance.go()

    answer = await ask("DELETE", "instances", "i1")

    assert answer == (200, {"stopped": True})
    assert launcher.wait(60) == -signal.SIGTERM


async def test_a_process_that_is_no_launcher_is_left_alone(
    instance, announce, ask, process, monkeypatch
):
    monkeypatch.setattr(desk, "_ENDED_S", 0.2)
    other = process()
    announce(instance, pid=other.pid)
    instance.go()

    status, said = await ask("DELETE", "instances", "i1")

    assert (status, other.poll()) == (504, None)
    assert "has not ended" in said["message"]


async def test_nothing_else_is_there(jp_fetch):
    answer = await jp_fetch("workbench", "else", raise_error=False)

    assert answer.code == 404


async def test_a_wrong_verb_is_answered_in_json(jp_fetch):
    answer = await jp_fetch(
        "workbench", "instances", "start", method="GET", raise_error=False
    )

    assert answer.code == 405
    assert json.loads(answer.body).keys() == {"message", "remedy"}


async def test_a_mistake_of_ours_is_answered_without_its_details(
    ask, jp_web_app, monkeypatch
):
    async def fails():
        raise ValueError("details")

    monkeypatch.setattr(jp_web_app.settings["workbench_desk"], "instances", fails)

    status, said = await ask("GET", "instances")

    assert (status, said["message"]) == (500, "Internal Server Error")
    assert "Jupyter's log" in said["remedy"]


def running_tasks():
    return {task.get_name() for task in asyncio.all_tasks()}
