"""What the watchdog takes for stuck, and what it says of it."""

import asyncio
import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.loop import LoopThread
from workbench.replica.leftover import Leftover
from workbench.replica.threads import Threads
from workbench.replica.watchdog import Vigil, Watchdog, patience_s

_LONG_S = 60.0


@pytest.fixture
def loop():
    thread = LoopThread("watched").start()
    yield thread
    thread.stop()


@pytest.fixture
def watch(loop):
    """Begin a watchdog of the loop; its patience is short."""
    begun = []

    def begin(leftovers=list, patience=lambda: 0.1):
        watchdog = Watchdog(loop.loop, leftovers, patience)
        begun.append(watchdog)
        loop.loop.call_soon_threadsafe(watchdog.begin)
        return watchdog

    yield begin
    for each in begun:
        each.end()


class TestPatience:
    def test_the_first_call_may_compile_a_model(self):
        assert patience_s(30.0, 0.0) == 300.0

    def test_three_health_checks_or_ten_times_the_longest_call(self):
        assert patience_s(30.0, 0.2) == 90.0
        assert patience_s(30.0, 60.0) == 600.0


class TestVigil:
    def test_the_oldest_is_named_with_its_age(self):
        vigil: Vigil[object] = Vigil()
        vigil.see({"a"}, 10.0)

        assert vigil.see({"a", "b"}, 13.0) == ("a", 3.0)
        assert vigil.see({"b"}, 14.0) == ("b", 1.0)
        assert vigil.see(set(), 15.0) == (None, 0.0)

    def test_who_was_away_begins_anew(self):
        vigil: Vigil[object] = Vigil()
        vigil.see({"a"}, 10.0)
        vigil.see(set(), 11.0)

        assert vigil.see({"a"}, 12.0) == ("a", 0.0)

    @given(st.lists(st.sets(st.integers(0, 5))))
    def test_only_what_is_there_is_named(self, looks):
        vigil: Vigil[object] = Vigil()
        for now, things in enumerate(looks):
            oldest, age_s = vigil.see(things, float(now))
            assert (oldest in things) if things else oldest is None
            assert 0 <= age_s <= now


class TestWatchdog:
    def test_a_loop_that_is_held_up_is_told_with_the_place(self, loop, watch):
        gate = threading.Event()

        def hold_everything_up():
            gate.wait(_LONG_S)

        watchdog = watch()
        loop.loop.call_soon_threadsafe(hold_everything_up)
        try:
            trouble = watchdog.trouble.result(_LONG_S)
        finally:
            gate.set()

        assert not trouble.can_drain
        assert "held up" in trouble.reason
        assert "hold_everything_up" in trouble.reason
        assert "gate.wait(_LONG_S)" in trouble.reason

    def test_a_thread_that_nobody_waits_for_is_told_with_the_place(self, loop, watch):
        gate, entered = threading.Event(), threading.Event()

        def wait_in_vain():
            entered.set()
            gate.wait(_LONG_S)

        async def start():
            return Threads("test").start(wait_in_vain)

        job = loop.submit(start()).result(_LONG_S)
        entered.wait(_LONG_S)
        try:
            trouble = watch(lambda: [Leftover("r-1", job)]).trouble.result(_LONG_S)
        finally:
            gate.set()

        assert trouble.can_drain
        assert "Call r-1 runs on" in trouble.reason
        assert "in wait_in_vain" in trouble.reason

    def test_a_coroutine_that_will_not_be_cancelled_is_told_with_the_place(
        self, loop, watch
    ):
        async def deaf():
            while True:
                try:
                    await asyncio.sleep(_LONG_S)
                except asyncio.CancelledError:
                    if gate.is_set():
                        raise

        async def start():
            return asyncio.create_task(deaf())

        gate = threading.Event()
        task = loop.submit(start()).result(_LONG_S)
        loop.loop.call_soon_threadsafe(task.cancel)
        trouble = watch(lambda: [Leftover("", task)]).trouble.result(_LONG_S)
        gate.set()

        assert "A call runs on" in trouble.reason
        assert "await asyncio.sleep(_LONG_S)" in trouble.reason

    def test_as_long_as_nothing_is_served_nothing_is_stuck(self, loop, watch, caplog):
        """A constructor may hold the loop up; a line in the log says where."""
        gate = threading.Event()

        def construct():
            gate.wait(_LONG_S)

        warned = threading.Event()
        handler = logging.Handler()
        handler.emit = lambda record: warned.set()  # type: ignore[method-assign]
        logger = logging.getLogger("workbench.replica")
        logger.addHandler(handler)
        watchdog = watch(patience=lambda: None)
        loop.loop.call_soon_threadsafe(construct)
        try:
            held = threading.Event()
            while not watchdog._held_by:
                held.wait(0.05)
            gate.set()
            assert warned.wait(_LONG_S)
        finally:
            logger.removeHandler(handler)

        assert not watchdog.trouble.done()
        assert "construct" in caplog.text
