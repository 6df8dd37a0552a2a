"""A live panel: a real widget, with the test in the place of page and instance."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from tests.unit.notebook.fake_comm import FakeComm
from tests.unit.notebook.fake_source import PATIENCE_S, FakeInstance, status_event
from workbench.errors import NoInstanceError, UnknownDeploymentError
from workbench.notebook import panel as panel_module
from workbench.notebook.feed import Feed
from workbench.notebook.panel import Panel

pytest.importorskip("anywidget")
pytestmark = pytest.mark.usefixtures("script")
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def script():
    """The panel's script, which only a build of `extension/` makes."""
    try:
        from workbench.notebook import panel_widget  # noqa: F401
    except OSError:
        pytest.skip("workbench/static/panel.js is not built")


@pytest.fixture
def comms(monkeypatch):
    made = []

    def create(**options):
        comm = FakeComm(**options)
        if "app" in comm.opened_with:  # not that of the widget's layout
            made.append(comm)
        return comm

    monkeypatch.setattr("comm.create_comm", create)
    kernel = SimpleNamespace(kernel=object())
    monkeypatch.setattr(panel_module, "get_ipython", lambda: kernel)
    return made


@pytest.fixture
def instance():
    made = FakeInstance()
    made.begin("default", "other")
    return made


@pytest.fixture
def panel(instance):
    made = Panel("default", backend=instance, feed=Feed(instance, pauses_s=[0.001]))
    yield made
    made.close()
    instance.sample(999)


@pytest.fixture
def page(panel, comms):
    """The panel is displayed, and a view of it is seen."""
    panel._repr_mimebundle_()
    page = comms[-1]
    page.say("watch", view="v1", is_visible=True)
    page.next("history")
    page.drain()
    return page


def test_a_panel_does_nothing_until_it_is_displayed(panel, instance):
    assert instance.opened == 0
    assert repr(panel) == "<Panel of 'default', not shown>"


def test_it_opens_with_what_is_known_so_that_it_is_never_blank(panel, comms):
    bundle = panel._repr_mimebundle_()

    state = comms[-1].opened_with
    assert bundle[WIDGET]["model_id"] == "comm"
    assert list(state["first"]["status"]["applications"]) == ["default", "other"]
    assert state["first"]["samples"][-1]["at_s"] == 100.5


def test_a_view_is_sent_status_and_history_first(panel, comms):
    panel._repr_mimebundle_()
    page = comms[-1]
    page.drain()

    page.say("watch", view="v1", is_visible=True)

    assert [message["kind"] for message in page.drain()] == ["status", "history"]


def test_samples_hold_only_what_concerns_the_application(page, instance):
    instance.sample(200, "default", "other")

    found = page.next("sample")["sample"]

    assert list(found["applications"]) == ["default"]
    assert list(found["replicas"]) == ["r-default"]


def test_a_status_that_says_nothing_new_of_it_is_not_sent(page, instance):
    instance.put(status_event("default", "other"), status_event("default", "other"))
    instance.put(status_event("default", "third"))
    instance.sample(200, "default")

    found = page.next("status", "sample")["status"]["applications"]
    assert "third" in found
    assert page.next("status", "sample")["kind"] == "sample"


def test_it_is_live_also_while_no_view_can_say_that_it_is_there(panel, comms, instance):
    """A cell that runs keeps the kernel from hearing its pages."""
    panel._repr_mimebundle_()
    instance.sample(200, "default")

    assert comms[-1].next("sample")["sample"]["at_s"] == 200


def test_nothing_is_sent_while_hidden_and_all_when_shown_again(page, instance, panel):
    page.say("watch", view="v1", is_visible=False)
    instance.sample(200, "default")
    instance.sample(201, "default")
    wait_until_known(panel, 201)
    assert page.drain() == []

    page.say("watch", view="v1", is_visible=True)

    assert page.next("history")["samples"][-1]["at_s"] == 201


def wait_until_known(panel, at_s):
    """Follow beside the panel until this sample has come."""
    waiter = Waiter(at_s)
    panel._feed.join(waiter)
    assert waiter.came(panel._feed)
    panel._feed.leave(waiter)


class Waiter:
    def __init__(self, at_s):
        self._at_s = at_s
        self._event = threading.Event()

    def take(self, news):
        if getattr(getattr(news, "sample", None), "at_s", 0) >= self._at_s:
            self._event.set()

    def tick(self):
        pass

    def came(self, feed):
        known = feed.known.samples
        return (known and known[-1].at_s >= self._at_s) or self._event.wait(PATIENCE_S)


def test_when_its_last_view_is_gone_the_thread_ends(page, instance, panel):
    page.say("watch", view="v2", is_visible=True)
    page.say("leave", view="v1")
    assert panel._views.are_watched

    page.say("leave", view="v2")
    instance.sample(200, "default")

    assert instance.closed.wait(PATIENCE_S)


def test_a_view_that_comes_back_starts_it_again(page, instance):
    page.say("leave", view="v1")
    instance.sample(200, "default")
    assert instance.closed.wait(PATIENCE_S)

    instance.begin("default", samples=3)
    page.say("watch", view="v3", is_visible=True)

    assert len(page.next("history")["samples"]) == 3


def test_views_are_counted_as_gone_only_by_a_loop_that_could_have_heard_them(
    panel, comms
):
    async def display_then_tick():
        panel._repr_mimebundle_()
        for _ in range(13):
            panel.tick()
        before = panel._views.are_gone
        await asyncio.sleep(0)
        return before, panel._views.are_gone

    assert asyncio.run(display_then_tick()) == (False, True)


def test_closing_it_closes_its_widget(page, panel):
    panel.close()

    assert page.is_closed


def test_it_says_why_it_is_away(page, instance):
    instance.put(NoInstanceError("No instance is running."))

    away = page.next("away")

    assert away["sentence"] == "No instance is running."
    assert "%%serve" in away["remedy"]


def test_scaling_is_done_and_answered(page, instance):
    page.say("scale", order="o1", deployment="Doubler", num_replicas=3)

    done = page.next("done")

    assert done == {
        "kind": "done",
        "order": "o1",
        "is_ok": True,
        "text": "Doubler gets 3 replicas.",
    }
    assert instance.scaled == [("default", "Doubler", 3)]


def test_what_cannot_be_scaled_is_said_with_advice(page, instance):
    instance.fails_with = UnknownDeploymentError("There is no deployment 'X'.")

    page.say("scale", order="o1", deployment="X", num_replicas=3)

    done = page.next("done")
    assert not done["is_ok"]
    assert done["text"].startswith("There is no deployment 'X'. ")
    assert UnknownDeploymentError.hint in done["text"]


def test_deleting_is_done_and_answered(page, instance):
    page.say("delete", order="o2")

    assert page.next("done")["text"] == "default is deleted."
    assert instance.deleted == ["default"]
