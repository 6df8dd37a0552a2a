"""Connecting to an instance elsewhere: its token stays in the server."""

import logging
import socket

import pytest

from tests.sidebar.fake_instance import FakeInstance
from workbench.sidebar.messages import ProblemKind
from workbench.spec.events import StatusEvent


@pytest.fixture
def remote():
    with FakeInstance("far") as made:
        yield made


@pytest.fixture
def connect(ask):
    async def send(url, token):
        return await ask("POST", "instances", body={"url": url, "token": token})

    return send


async def test_a_remote_instance_is_listed_once_connected(connect, ask, remote):
    status, said = await connect(remote.url + "/", remote.token)

    assert status == 200
    assert (said["id"], said["url"], said["is_remote"]) == ("far", remote.url, True)
    _, listed = await ask("GET", "instances")
    assert listed["instances"] == [said]


async def test_it_appears_on_pages_and_can_be_asked(connect, ask, remote, open_page):
    page = await open_page()
    await page.listing()

    await connect(remote.url, remote.token)
    (listed,) = await page.listing(lambda found: found)
    await page.event(StatusEvent)
    status, _ = await ask("DELETE", "instances", "far", "applications", "a")

    assert listed.is_remote
    assert (status, remote.asked) == (200, [("delete", "a")])


async def test_it_is_still_known_to_the_next_server(
    connect, remote, jp_configurable_serverapp, jp_serverapp, jp_data_dir
):
    await connect(remote.url, remote.token)

    desk = jp_serverapp.web_app.settings["workbench_desk"]
    next_desk = type(desk)(desk._settings, jp_data_dir)
    (listed,) = await next_desk.instances()
    await next_desk.close()

    assert (listed.id, listed.problem) == ("far", None)


async def test_forgetting_leaves_it_running(connect, ask, remote):
    await connect(remote.url, remote.token)

    answer = await ask("DELETE", "instances", "far")

    assert answer == (200, {"forgotten": True})
    assert (await ask("GET", "instances"))[1]["instances"] == []
    assert remote.asked == []


async def test_connecting_to_an_instance_of_this_host_lists_it_once(
    connect, ask, instance, announce
):
    announce(instance)

    status, said = await connect(instance.url, instance.token)
    _, listed = await ask("GET", "instances")

    assert (status, said["is_remote"]) == (200, False)
    assert [each["is_remote"] for each in listed["instances"]] == [False]


async def test_a_wrong_token_is_refused_at_once(connect, ask, remote):
    status, said = await connect(remote.url, "wrong")

    assert (status, said["message"]) == (422, f"{remote.url} refuses the token.")
    assert "jupyter --runtime-dir" in said["remedy"]
    assert (await ask("GET", "instances"))[1]["instances"] == []


async def test_an_address_where_nothing_listens_is_refused(connect):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    status, said = await connect(f"http://127.0.0.1:{port}", "t")

    assert status == 422
    assert "does not answer" in said["message"]
    assert said["remedy"]


async def test_something_else_than_workbench_is_refused(
    connect, jp_serverapp, http_server_port, http_server
):
    jupyter = f"http://127.0.0.1:{http_server_port[1]}"

    status, said = await connect(jupyter, "t")

    assert (status, said["message"].split(" (")[0]) == (
        422,
        f"What answers at {jupyter} is not Workbench",
    )
    assert "control API" in said["remedy"]


@pytest.mark.parametrize(
    ("url", "token"), [("host:1", "t"), ("http://host", ""), ("http://host", "a\nb")]
)
async def test_what_cannot_be_right_is_refused_before_anything_is_sent(
    connect, url, token
):
    status, said = await connect(url, token)

    assert (status, bool(said["message"]), bool(said["remedy"])) == (400, True, True)


async def test_a_remote_instance_that_goes_silent_is_said_to_be(
    connect, remote, open_page
):
    await connect(remote.url, remote.token)
    page = await open_page()
    await page.event(StatusEvent)

    remote.go()
    problem = await page.problem(ProblemKind.UNREACHABLE)

    assert remote.url in problem.sentence


async def test_the_token_is_in_no_answer_and_no_log(
    connect, ask, remote, open_page, caplog, jp_logging_stream
):
    caplog.set_level(logging.DEBUG)
    page = await open_page()
    await page.listing()
    texts = [await connect(remote.url, remote.token)]
    texts.append(await connect(remote.url, remote.token[:-1]))
    texts.append(await connect(f"http://x:{remote.token}@host", "t"))
    await page.event(StatusEvent)
    texts += [
        await ask("GET", "instances"),
        await ask("GET", "instances", "far", "logs"),
    ]
    remote.go()
    texts.append(await ask("DELETE", "instances", "far", "applications", "a"))
    await page.problem(ProblemKind.UNREACHABLE)

    said = f"{texts} {page.read} {caplog.text} {jp_logging_stream.getvalue()}"
    assert "workbench/instances" in said
    assert remote.token[:-1] not in said


class TestWorkbenchUrl:
    """`WORKBENCH_URL` names what the kernels of this server use."""

    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch, remote):
        monkeypatch.setenv("WORKBENCH_URL", remote.url)
        monkeypatch.setenv("WORKBENCH_TOKEN", remote.token)

    async def test_the_sidebar_shows_it(self, ask, remote):
        _, listed = await ask("GET", "instances")

        (found,) = listed["instances"]
        assert (found["id"], found["problem"]) == (f"127.0.0.1-{remote.port}", None)

    async def test_it_cannot_be_forgotten_and_none_is_started_beside_it(
        self, ask, remote
    ):
        forgotten = await ask("DELETE", "instances", f"127.0.0.1-{remote.port}")
        started = await ask("POST", "instances", "start", body={})

        assert (forgotten[0], started[0]) == (409, 409)
        assert "WORKBENCH_URL" in forgotten[1]["message"] + started[1]["message"]
