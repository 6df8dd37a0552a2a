"""The state of a deploy's card, event by event, and how it is drawn."""

from html.parser import HTMLParser

import pytest
from IPython.utils.capture import capture_output

from tests.unit.notebook.fake_backend import INSTANCE, events, running
from workbench.deployment import deployment, ingress
from workbench.notebook.card import Card, Phase, Row
from workbench.notebook.card_view import card_view
from workbench.notebook.display import NotebookScreen, duration
from workbench.notebook.status_view import status_view
from workbench.spec.status import (
    DeployEvent,
    EventKind,
    ReplicaState,
    ServeStatus,
    Step,
)


def replica(id_: str, state: ReplicaState) -> DeployEvent:
    return DeployEvent(
        kind=EventKind.REPLICA, at_s=0, deployment="Model", replica=id_, state=state
    )


def test_a_deploy_is_followed_to_its_end():
    card = Card(name="default")
    assert card.phase is Phase.CONNECTING

    for event in events("Model"):
        card = card.with_event(event)
    assert card.phase is Phase.DEPLOYING
    assert [(row.name, row.step, row.state) for row in card.rows] == [
        ("Model", Step.START, "1 running")
    ]

    card = card.with_event(DeployEvent(kind=EventKind.LIVE, at_s=1, url="http://h/"))
    assert (card.phase, card.url) == (Phase.LIVE, "http://h/")


def test_replicas_are_counted_by_state_with_the_running_ones_first():
    card = Card(name="default")
    for id_, state in [
        ("a", ReplicaState.STARTING),
        ("b", ReplicaState.PLACING),
        ("a", ReplicaState.RUNNING),
        ("c", ReplicaState.STOPPED),
    ]:
        card = card.with_event(replica(id_, state))

    assert card.rows[0].state == "1 running, 1 placing"


def test_once_live_what_still_stops_is_not_said():
    card = Card(name="default")
    card = card.with_event(replica("old", ReplicaState.STOPPING))
    card = card.with_event(replica("new", ReplicaState.RUNNING))

    card = card.with_event(DeployEvent(kind=EventKind.LIVE, at_s=1))

    assert card.rows[0].state == "1 running"


def test_a_failure_leaves_the_traceback_to_the_error():
    event = DeployEvent(kind=EventKind.FAILED, at_s=1, message="ValueError: x")

    view = card_view(Card(name="default").with_event(event))

    assert "failed" in view.text
    assert "ValueError" not in view.text + view.html


def test_a_note_is_said_once():
    card = Card(name="default").with_note("port 8000 was busy").with_note("other")

    assert card.with_note("other").notes == ("port 8000 was busy", "other")


class Callable:
    def __call__(self, request):
        return request


class OneMethod:
    def predict(self, image):
        return image


class App:
    docs_url = "/docs"


@pytest.mark.parametrize(
    ("target", "call"),
    [
        (Callable, "h.remote(...)"),
        (OneMethod, "h.predict.remote(...)"),
        (lambda request: 1, "h.remote(...)"),
    ],
)
def test_the_card_shows_how_to_call_by_handle(target, call):
    application = deployment(target).bind()

    assert Card.of(application, name="default", variable="h").by_handle == call


def test_an_asgi_application_is_called_by_http_and_has_its_documentation():
    application = deployment(ingress(App())(type("Api", (), {}))).bind()

    card = Card.of(application, name="default", variable=None)
    live = card.with_event(DeployEvent(kind=EventKind.LIVE, at_s=1, url="http://h/a"))

    assert card.by_handle == ""
    assert "http://h/a/docs" in card_view(live).text


def test_an_application_without_a_route_is_called_by_handle_only():
    card = Card.of(deployment(Callable).bind(), name="inner", variable=None)

    text = card_view(card.with_event(DeployEvent(kind=EventKind.LIVE, at_s=1))).text

    assert "curl" not in text
    assert 'serve.get_app_handle("inner").remote(...).result()' in text


def test_a_class_without_a_call_method_is_called_by_handle_only():
    card = Card.of(deployment(OneMethod).bind(), name="one", variable=None)
    live = card.with_event(DeployEvent(kind=EventKind.LIVE, at_s=1, url="http://h/"))

    text = card_view(live).text

    assert "curl" not in text
    assert 'serve.get_app_handle("one").predict.remote(...).result()' in text


HOSTILE = "<script>alert(1)</script>"


def tags(html: str) -> set[str]:
    """The elements that a browser would make."""
    found: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.add(tag)  # type: ignore[method-assign]
    parser.feed(html)
    return found


def test_what_users_write_is_escaped():
    row = Row(name=HOSTILE, reason=f"`{HOSTILE}` changed")
    live = Card(
        name=HOSTILE,
        by_handle=HOSTILE,
        phase=Phase.LIVE,
        rows=(row,),
        url=f'http://h/"{HOSTILE}',
        notes=(HOSTILE,),
    )
    starting = Card(name=HOSTILE, progress=HOSTILE)
    applications = {HOSTILE: running(HOSTILE, f"/{HOSTILE}", message=f"{HOSTILE}\nx")}
    status = ServeStatus(instance=INSTANCE, applications=applications)

    for view in (card_view(live), card_view(starting), status_view(status)):
        assert "script" not in tags(view.html)
        assert HOSTILE in view.text


@pytest.mark.usefixtures("shell")
def test_a_notebook_shows_one_output_that_changes_in_place():
    with capture_output() as shown:
        screen = NotebookScreen()
        for phase in (Phase.CONNECTING, Phase.DEPLOYING, Phase.LIVE):
            screen.update(card_view(Card(name="default", phase=phase)), is_last=False)

    ids = {output.transient["display_id"] for output in shown.outputs}
    assert len(shown.outputs) == 3
    assert len(ids) == 1
    assert [output.update for output in shown.outputs] == [False, True, True]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0004, "0 ms"),
        (0.012, "12 ms"),
        (0.9996, "1.0 s"),
        (8.13, "8.1 s"),
        (65, "1 min 5 s"),
        (119.7, "2 min 0 s"),
    ],
)
def test_times_read_as_people_say_them(seconds, said):
    assert duration(seconds) == said
