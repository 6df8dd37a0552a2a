"""Starting an embedded instance from the sidebar."""

import asyncio
import importlib.util
import threading

import pytest

from workbench.errors import StartError
from workbench.sidebar import starting
from workbench.sidebar.messages import InstanceEvent, StartingMessage
from workbench.start import Started


class FakeStart:
    """In place of `workbench.start.start_instance`; waits to be told how it ends."""

    def __init__(self, instance, announce):
        self._instance, self._announce = instance, announce
        self.is_told = threading.Event()
        self.calls = []
        self.error = None

    def __call__(self, settings, *, http, keep, ray_address, on_progress):
        self.calls.append(keep)
        on_progress("Ray is up")
        assert self.is_told.wait(60)
        if self.error is not None:
            raise self.error
        self._announce(self._instance)
        return Started(url=self._instance.url, token=self._instance.token)


@pytest.fixture
def start(monkeypatch, instance, announce):
    fake = FakeStart(instance, announce)
    monkeypatch.setattr(starting, "start_instance", fake)
    yield fake
    fake.is_told.set()


@pytest.fixture
def press(ask):
    """Press the sidebar's button; the answer comes when it is awaited."""

    def send():
        return asyncio.ensure_future(ask("POST", "instances", "start", body={}))

    return send


async def starting_text(page):
    message = await page.until(lambda each: isinstance(each, StartingMessage))
    return message.text


async def test_all_pages_see_the_start_go_on_and_end(start, press, open_page):
    pages = [await open_page(), await open_page()]
    for page in pages:
        await page.listing()

    pressed = press()
    seen = [[await starting_text(page) for _ in range(2)] for page in pages]
    start.is_told.set()
    ends = [await starting_text(page) for page in pages]
    (listed,) = await pages[0].listing(lambda found: found)

    assert seen == [["starting an instance", "Ray is up"]] * 2
    assert ends == ["", ""]
    assert (listed.id, listed.is_kept) == ("i1", True)
    status, said = await pressed
    assert (status, said["id"]) == (200, "i1")


async def test_a_page_that_comes_later_sees_it_too(start, press, open_page):
    first = await open_page()
    await first.listing()
    pressed = press()
    while await starting_text(first) != "Ray is up":
        pass

    later = await open_page()
    text = await starting_text(later)
    start.is_told.set()

    assert text == "Ray is up"
    await pressed


async def test_two_presses_are_one_start(start, press):
    pressed = [press(), press()]
    while not start.calls:
        await asyncio.sleep(0.01)
    start.is_told.set()
    answers = await asyncio.gather(*pressed)

    assert start.calls == [True]
    assert [said["id"] for _, said in answers] == ["i1", "i1"]


async def test_a_kept_instance_that_runs_is_good_enough(
    start, press, instance, announce
):
    announce(instance)

    status, said = await press()

    assert (status, said["id"], start.calls) == (200, "i1", [])


@pytest.mark.parametrize(
    "error", [StartError("Ray did not come up."), OSError("No space left on device")]
)
async def test_a_start_that_fails_says_why_and_can_be_tried_again(
    start, press, open_page, error
):
    page = await open_page()
    start.error = error
    start.is_told.set()

    status, said = await press()
    start.error = None
    again, _ = await press()

    assert status == 500
    assert str(error).split("\n")[0] in said["message"]
    assert "workbench up" in said["remedy"]
    assert again == 200
    await page.until(lambda each: isinstance(each, InstanceEvent))


async def test_a_setting_that_cannot_be_read_is_named(start, press, monkeypatch):
    monkeypatch.setenv("WORKBENCH_NUM_CPUS", "many")

    status, said = await press()

    assert (status, start.calls) == (500, [])
    assert "WORKBENCH_NUM_CPUS='many'" in said["message"]


async def test_without_ray_in_the_servers_environment_the_page_is_told(
    start, press, monkeypatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, package=None: None if name == "ray" else find(name, package),
    )

    status, said = await press()

    assert (status, start.calls) == (501, [])
    assert "%%serve" in said["remedy"]


async def test_the_server_goes_on_while_an_instance_starts(start, press, ask):
    pressed = press()

    status, _ = await ask("GET", "instances")
    start.is_told.set()

    assert status == 200
    await pressed
