"""The card of a deploy on a screen: live, but never a flood."""

import threading

import pytest

from tests.unit.notebook.fake_backend import events
from workbench.notebook.card import Card, Phase
from workbench.notebook.card_view import card_view
from workbench.notebook.deploys import LiveCard
from workbench.notebook.display import View
from workbench.spec.status import DeployEvent, EventKind, ReplicaState


class FakeScreen:
    """Keeps what it is shown; can be waited on."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self.was_shown = threading.Semaphore(0)

    def update(self, view: View, *, is_last: bool) -> None:
        self.views.append(view)
        self.was_shown.release()


class FakeClock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class FakeDeployed:
    handle = None
    url = "http://h/"
    warnings = ()
    took_s = 0.3


@pytest.fixture
def screen():
    return FakeScreen()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def card(screen, clock):
    """Not opened: nothing but its events changes it."""
    return LiveCard(Card(name="default", phase=Phase.SHIPPING), screen, clock)


def replica(state: ReplicaState, at_s: float, id_: str = "r1") -> DeployEvent:
    return DeployEvent(
        kind=EventKind.REPLICA, at_s=at_s, deployment="Model", replica=id_, state=state
    )


def test_a_burst_of_events_is_shown_once_and_its_end_at_once(card, screen):
    for number in range(500):
        card.on_event(replica(ReplicaState.STARTING, 0.0, f"r{number}"))
    card.on_event(DeployEvent(kind=EventKind.LIVE, at_s=0.0, url="http://h/"))
    card.deployed(FakeDeployed(), is_live=True)

    assert len(screen.views) == 2
    assert screen.views[-1].line == "● default · live · http://h/ · 300 ms"


def test_events_with_time_between_them_are_each_shown(card, screen, clock):
    for event in events("Model"):
        clock.now_s += 0.2
        card.on_event(event)

    assert len(screen.views) == 1 + len(events("Model"))


def test_what_came_too_fast_to_be_shown_is_shown_soon(screen):
    with LiveCard(Card(name="default"), screen) as card:
        assert screen.was_shown.acquire(timeout=20)
        card.on_event(replica(ReplicaState.STARTING, 0.0))
        assert screen.was_shown.acquire(timeout=20)

    assert "starting" in screen.views[-1].text


def test_time_goes_on_while_nothing_happens(screen):
    with LiveCard(Card(name="default"), screen) as card:
        card.on_event(replica(ReplicaState.STARTING, 0.0))
        for _ in range(4):
            assert screen.was_shown.acquire(timeout=20)

    assert screen.views[-1].text != screen.views[-2].text


def test_nothing_is_shown_after_the_end(screen):
    with LiveCard(Card(name="default"), screen) as card:
        card.on_event(replica(ReplicaState.RUNNING, 0.0))
        card.deployed(FakeDeployed(), is_live=True)
        ended = screen.views[-1]

    for thread in threading.enumerate():
        if thread.name == "workbench-card":
            thread.join(20)
    assert screen.views[-1] is ended


def test_each_replicas_way_is_shown_with_times(card, screen, clock):
    clock.now_s += 0.2
    card.on_event(replica(ReplicaState.PLACING, 0.0))
    card.on_event(replica(ReplicaState.STARTING, 0.05))
    clock.now_s += 1.25
    card.on_event(replica(ReplicaState.RUNNING, 1.1, "r2"))

    shown = screen.views[-1]
    assert "r1  shipping 200 ms → placing 50 ms → starting 1.2 s" in shown.text
    assert "r2  shipping 200 ms → healthy" in shown.text
    assert "starting 1.2 s" in shown.html


def test_why_a_replica_waits_is_shown(card, screen, clock):
    clock.now_s += 1
    card.on_event(
        DeployEvent(
            kind=EventKind.REPLICA,
            at_s=0.0,
            deployment="Model",
            replica="r1",
            state=ReplicaState.PLACING,
            message="waits for 1 GPU",
        )
    )

    assert "placing 0 ms · waits for 1 GPU" in screen.views[-1].text


def test_of_many_replicas_some_are_shown_and_the_others_counted():
    card = Card(name="default")
    for number in range(300):
        card = card.with_event(replica(ReplicaState.STARTING, 0.0, f"r{number}"))

    text = card_view(card).text
    assert "300 starting" in text
    assert "and 292 more" in text
    assert text.count("\n") < 12


def test_in_the_end_the_slowest_replicas_way_stays():
    card = Card(name="default", shipped_s=0.004)
    for id_, at_s in (("fast", 0.2), ("slow", 1.5)):
        card = card.with_event(replica(ReplicaState.STARTING, 0.0, id_))
        card = card.with_event(replica(ReplicaState.RUNNING, at_s, id_))

    text = card_view(
        card.with_event(DeployEvent(kind=EventKind.LIVE, at_s=1.5, url="http://h/"))
    ).text

    assert "slow  shipping 4 ms → starting 1.5 s → healthy" in text
    assert "fast" not in text


def test_the_start_of_an_instance_is_no_part_of_shipping(card, screen, clock):
    clock.now_s += 6
    card.on_progress("the instance is up")
    assert "starting · the instance is up" in screen.views[-1].text

    clock.now_s += 0.5
    card.on_event(replica(ReplicaState.STARTING, 0.1))

    assert "shipping 400 ms" in screen.views[-1].text


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        (Phase.CONNECTING, "before the deploy began"),
        (Phase.SHIPPING, "it may have arrived"),
        (Phase.DEPLOYING, "the deploy goes on without the cell"),
    ],
)
def test_an_interrupt_says_what_it_left(screen, phase, said):
    card = LiveCard(Card(name="default", phase=phase), screen)

    assert said in card.interrupted()
    assert said in screen.views[-1].text
