"""A turn for whatever happened, also while one is under way, and none besides."""

import asyncio

import pytest

from workbench.controller import turns as module
from workbench.controller.turns import Turns

pytestmark = pytest.mark.anyio


class Stage:
    """Counts turns; each may be held up, or break."""

    def __init__(self):
        self.count = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.breaks = 0
        self.turns = Turns(self.turn, self.until_next)
        self.pause_s = None

    async def turn(self, _now):
        self.count += 1
        self.begun.set()
        await self.go.wait()
        if self.breaks:
            self.breaks -= 1
            raise ValueError("oh")

    def until_next(self, _now, _last):
        return self.pause_s


@pytest.fixture
async def stage():
    made = Stage()
    running = asyncio.create_task(made.turns.run())
    yield made
    made.pause_s = None
    running.cancel()


async def test_it_begins_with_a_turn_and_takes_another_when_woken(stage):
    await stage.turns.until(lambda: stage.count == 1)

    stage.turns.wake()
    stage.turns.wake()

    await stage.turns.until(lambda: stage.count == 2)


async def test_what_happens_during_a_turn_is_seen_in_the_next(stage):
    stage.go.clear()
    await stage.begun.wait()
    stage.turns.wake()
    stage.go.set()

    await stage.turns.until(lambda: stage.count == 2)


async def test_without_anything_happening_it_goes_on_when_it_is_time(stage):
    stage.pause_s = 0.0
    stage.turns.wake()

    await stage.turns.until(lambda: stage.count >= 3)


async def test_a_turn_that_breaks_is_followed_by_another(stage, monkeypatch, caplog):
    monkeypatch.setattr(module, "_AFTER_ERROR_S", 0.0)
    stage.breaks = 1
    stage.turns.wake()

    await stage.turns.next_end()

    assert stage.breaks == 0
    assert "taking another" in caplog.text
