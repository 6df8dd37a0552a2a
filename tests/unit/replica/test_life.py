"""Loading, keeping, reconfiguring and draining a replica."""

import asyncio
import pickle
import sys
import threading
import types
import weakref
from typing import Any

import pytest

from workbench.replica import process
from workbench.replica import replica as replica_module
from workbench.replica.context import get_replica_context
from workbench.spec.ranks import ReplicaRank, Standing
from workbench.wire.messages import FailureKind

pytestmark = pytest.mark.anyio


# -- load ------------------------------------------------------------------------------


async def test_a_shell_says_that_it_is_nobody_yet(replica):
    async with replica() as bench:
        about = await bench.process.describe()

    assert about.seat is None
    assert not about.is_serving


async def test_a_replica_says_what_it_is(replica):
    class Nothing:
        pass

    async with replica() as bench:
        report = await bench.load(Nothing)
        about = await bench.process.describe()

    assert report.took_s > 0
    assert about.seat == bench.seat
    assert about.is_serving


async def test_user_code_knows_its_replica_by_the_id_that_the_status_shows(replica):
    class Curious:
        def __init__(self):
            self.id = get_replica_context().replica_id

    async with replica() as bench:
        await bench.load(Curious)
        context = get_replica_context()

    in_constructor: Any = context.servable_object
    assert in_constructor.id == context.replica_id == bench.seat.replica_id
    assert context.replica_tag == f"app#d#{bench.seat.replica_id}"


async def test_one_that_loads_is_nobodys_spare_shell(replica):
    has_begun, may_end = threading.Event(), threading.Event()

    class Slow:
        def __init__(self):
            has_begun.set()
            may_end.wait(10)

    async with replica() as bench:
        before = await bench.process.describe()
        loading = asyncio.ensure_future(bench.load(Slow))
        await asyncio.to_thread(has_begun.wait, 10)
        meanwhile = await bench.process.describe()
        may_end.set()
        await loading

    assert before.is_spare
    assert (meanwhile.is_spare, meanwhile.seat) == (False, None)


async def test_an_async_constructor_is_awaited(replica):
    class Slow:
        async def __init__(self, factor):
            await asyncio.sleep(0)
            self.factor = factor

        async def __call__(self):
            return self.factor

    async with replica() as bench:
        await bench.load(Slow, 7)
        answer = await bench.http().done()

    assert answer.body == b"7"


async def test_a_sync_constructor_does_not_hold_up_the_sockets(replica):
    begun, proceed = threading.Event(), threading.Event()

    class Slow:
        def __init__(self):
            begun.set()
            assert proceed.wait(60)

    async with replica() as bench:
        loading = asyncio.ensure_future(bench.load(Slow))
        await asyncio.to_thread(begun.wait, 10)
        assert await bench.process._io.call(_is_alive())
        proceed.set()
        await loading


async def _is_alive():
    return True


@pytest.fixture
def ahead(monkeypatch, tmp_path):
    """Two modules that shells import ahead; the first does not end by itself."""
    gate: Any = types.ModuleType("gate_of_imports")
    gate.begun, gate.proceed = threading.Event(), threading.Event()
    source = "import gate_of_imports as gate; gate.begun.set(); gate.proceed.wait(10)"
    (tmp_path / "ahead_one.py").write_text(source)
    (tmp_path / "ahead_two.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "gate_of_imports", gate)
    monkeypatch.setattr(process, "_IMPORT_AHEAD", ("ahead_one", "ahead_two"))
    yield gate
    for name in process._IMPORT_AHEAD:
        sys.modules.pop(name, None)


async def test_a_shell_that_is_waited_for_imports_nothing_ahead(
    replica, monkeypatch, ahead
):
    monkeypatch.setattr(process, "_UNWANTED_S", 60.0)
    async with replica() as bench:
        await bench.load(lambda: "there")

    assert not ahead.begun.is_set()


async def test_who_sits_down_waits_for_one_import_at_most(replica, monkeypatch, ahead):
    monkeypatch.setattr(process, "_UNWANTED_S", 0.0)
    async with replica() as bench:
        await asyncio.to_thread(ahead.begun.wait, 10)
        loading = asyncio.ensure_future(bench.load(lambda: "there"))
        while not bench.process._is_wanted.is_set():
            await asyncio.sleep(0)
        ahead.proceed.set()
        await loading

    assert "ahead_one" in sys.modules
    assert "ahead_two" not in sys.modules


@pytest.mark.parametrize("error", [ValueError, SystemExit])
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_failing_constructor_is_reported(replica, error, is_async):
    class Broken:
        def __init__(self):
            raise error

    class BrokenAsync:
        async def __init__(self):
            raise error

    target = BrokenAsync if is_async else Broken
    async with replica() as bench:
        report = await bench.obey("load", bench.request(target))
        about = await bench.process.describe()

    assert error.__name__ in report.error
    assert "in __init__" in report.error
    assert "workbench/replica" not in report.error
    assert about.seat is None


async def test_a_constructor_that_misses_its_loop_is_told_how_to_get_it(replica):
    class Eager:
        def __init__(self):
            self.loop = asyncio.get_running_loop()

    async with replica() as bench:
        report = await bench.obey("load", bench.request(Eager))

    assert "Make it `async def __init__`" in report.error


async def test_user_config_reaches_the_instance_before_the_first_call(replica):
    class Tuned:
        async def reconfigure(self, config):
            self.limit = config["limit"]

        async def __call__(self):
            return self.limit

    async with replica() as bench:
        await bench.load(Tuned, user_config={"limit": 5})
        answer = await bench.http().done()

    assert answer.body == b"5"


async def test_a_user_config_that_nobody_takes_is_an_error(replica):
    class Deaf:
        pass

    async with replica() as bench:
        report = await bench.obey("load", bench.request(Deaf, user_config={"a": 1}))

    assert "no method reconfigure(self, user_config)" in report.error


async def test_an_instance_that_is_not_well_is_not_taken(replica):
    class Ill:
        def check_health(self):
            raise RuntimeError("no GPU")

    async with replica() as bench:
        report = await bench.obey("load", bench.request(Ill))

    assert "no GPU" in report.error


async def test_health_is_asked_of_the_user(replica):
    class Moody:
        def __init__(self):
            self.is_ill = False

        async def check_health(self):
            if self.is_ill:
                raise RuntimeError("tired")

        async def fall_ill(self):
            self.is_ill = True

    async with replica() as bench:
        await bench.load(Moody)
        well = await bench.process.check_health()
        await bench.call("fall_ill").done()
        ill = await bench.process.check_health()

    assert (well, ill) == ("", "check_health raised RuntimeError: tired")


# -- reconfigure -----------------------------------------------------------------------


async def test_options_change_in_place(replica):
    configs = []

    class Tuned:
        def reconfigure(self, config):
            configs.append(config)

    async with replica() as bench:
        await bench.load(Tuned, user_config=1)
        seat = bench.request(Tuned, user_config=1, max_ongoing_requests=9).seat
        await bench.obey("reconfigure", seat)
        seat = bench.request(Tuned, user_config=2).seat
        report = await bench.obey("reconfigure", seat)
        about = await bench.process.describe()

    assert configs == [1, 2]
    assert not report.error
    assert about.seat == seat


class Ranked:
    def __init__(self):
        self.told = []

    def reconfigure(self, config, rank):
        if rank.rank > 5:
            raise ValueError("too many of us")
        self.told.append([config, rank.rank])

    async def __call__(self):
        here = get_replica_context()
        return [here.rank.rank, here.world_size, self.told]


def standing(rank, world_size=3):
    return Standing(rank=ReplicaRank(rank=rank), world_size=world_size)


async def test_who_takes_a_rank_is_told_it_at_once_and_when_it_changes(replica):
    async with replica() as bench:
        await bench.load(Ranked)
        await bench.obey("stand", standing(2))
        await bench.obey("stand", standing(2, world_size=4))
        answer = await bench.http().done()
        about = await bench.process.describe()

    assert answer.body == b"[2,4,[[null,0],[null,2]]]"
    assert about.seat.standing == standing(2, world_size=4)


async def test_a_rank_goes_with_each_user_config(replica):
    async with replica() as bench:
        await bench.load(Ranked, user_config=1)
        await bench.obey("reconfigure", bench.request(Ranked, user_config=2).seat)
        answer = await bench.http().done()

    assert answer.body == b"[0,1,[[1,0],[2,0]]]"


async def test_who_takes_no_rank_is_not_disturbed_and_finds_it_in_its_context(replica):
    class Plain(Ranked):
        def reconfigure(self, config):  # type: ignore[override]
            self.told.append(config)

    async with replica() as bench:
        await bench.load(Plain, user_config=1)
        report = await bench.obey("stand", standing(2))
        answer = await bench.http().done()

    assert not report.error
    assert answer.body == b"[2,3,[1]]"


async def test_methods_that_take_a_rank_now_are_told_it_when_they_are_taken_over(
    replica,
):
    class Old(Ranked):
        def reconfigure(self, config):  # type: ignore[override]
            """Of no interest."""

    async with replica() as bench:
        await bench.load(Old)
        report = await bench.obey("keep", bench.request(Ranked))
        answer = await bench.http().done()

    assert (report.error, report.refused) == ("", "")
    assert answer.body == b"[0,1,[[null,0]]]"


async def test_a_rank_that_cannot_be_taken_is_said(replica):
    async with replica() as bench:
        await bench.load(Ranked)
        report = await bench.obey("stand", standing(6))

    assert "too many of us" in report.error


async def test_a_failing_reconfigure_leaves_the_old_options(replica):
    class Picky:
        def reconfigure(self, config):
            if config > 1:
                raise ValueError("too much")

    async with replica() as bench:
        await bench.load(Picky, user_config=1)
        before = bench.seat
        report = await bench.obey(
            "reconfigure", bench.request(Picky, user_config=2).seat
        )
        about = await bench.process.describe()

    assert "too much" in report.error
    assert about.seat == before


async def test_more_slots_let_waiting_calls_in(replica):
    async def wait(request):
        await asyncio.Event().wait()

    async with replica() as bench:
        await bench.load(wait, max_ongoing_requests=1)
        await bench.route(limit=3)
        calls = [bench.http() for _ in range(3)]
        seat = bench.request(wait, max_ongoing_requests=3).seat
        await bench.obey("reconfigure", seat)
        async with asyncio.timeout(10):
            while (await bench.process.describe()).ongoing < 3:
                await asyncio.sleep(0.001)

    assert not any(call.reply for call in calls)


# -- keep ------------------------------------------------------------------------------


def first(weights):
    class Model:
        def __init__(self):
            self.weights = weights

        async def __call__(self, request):
            if request.query_params["a"] == "wait":
                await self.weights["gate"].wait()
            return f"old {self.weights['n']}"

    return Model


def second():
    class Model:
        weights: dict[str, object]

        def __init__(self):
            raise AssertionError("the instance is kept")

        async def __call__(self):
            about = get_replica_context()
            return f"new {self.weights['n']} {about.servable_object is self}"

    return Model


async def test_a_command_that_comes_again_is_carried_out_once(replica):
    configs = []

    class Counting:
        def reconfigure(self, config):
            configs.append(config)

        async def __call__(self, request):
            return "here"

    async with replica() as bench:
        await bench.load(Counting, user_config=1)
        seat = pickle.dumps(bench.request(Counting, user_config=2).seat)
        by_two_ways = (
            bench.process.obey("twice", "reconfigure", seat) for _ in range(2)
        )
        once, again = await asyncio.gather(*by_two_ways)
        later = await bench.process.obey("twice", "reconfigure", seat)

    assert configs == [1, 2]
    assert once == again == later
    assert not once.error


async def test_new_code_takes_over_the_living_instance(replica):
    gate = asyncio.Event()
    weights = {"n": 1, "gate": gate}
    async with replica() as bench:
        await bench.load(first(weights))
        running = bench.http(query=b"a=wait")
        before = await bench.http().done()
        report = await bench.obey("keep", bench.request(second()))
        after = await bench.http().done()
        bench.process._io.loop.call_soon_threadsafe(gate.set)
        await running.done()

    assert (report.error, report.refused) == ("", "")
    assert before.body == b"old 1"
    assert after.body == b"new 1 True"
    assert running.body == b"old 1"


async def test_keeping_calls_reconfigure_when_the_config_changed(replica):
    class Old:
        def __init__(self):
            self.seen = []

        def reconfigure(self, config):
            self.seen.append(config)

    class New(Old):
        async def __call__(self):
            return self.seen

    async with replica() as bench:
        await bench.load(Old, user_config=1)
        await bench.obey("keep", bench.request(New, user_config=1))
        await bench.obey("keep", bench.request(New, user_config=2))
        answer = await bench.http().done()

    assert answer.body == b"[1,2]"


async def test_new_code_that_is_not_well_does_not_take_over(replica):
    class Model:
        def __call__(self):
            return "one"

    class New:
        def check_health(self):
            raise RuntimeError("tired")

        def __call__(self):
            return "two"

    async with replica() as bench:
        await bench.load(Model)
        report = await bench.obey("keep", bench.request(New))
        answer = await bench.http().done()

    assert "RuntimeError: tired" in report.error
    assert answer.body == b"one"


async def test_a_failure_while_keeping_leaves_the_old_code(replica):
    class Old:
        async def __call__(self):
            return get_replica_context().servable_object is self

    class New:
        def reconfigure(self, config):
            raise ValueError("cannot")

        async def __call__(self):
            return "new"

    async with replica() as bench:
        await bench.load(Old)
        report = await bench.obey("keep", bench.request(New, user_config=1))
        answer = await bench.http().done()

    assert "cannot" in report.error
    assert answer.body == b"true"


async def test_functions_are_replaced(replica):
    async with replica() as bench:
        await bench.load(lambda: "one")
        report = await bench.obey("keep", bench.request(lambda: "two"))
        answer = await bench.http().done()

    assert not report.refused
    assert answer.body == b"two"


async def test_what_cannot_be_kept_is_refused_and_the_old_code_serves_on(replica):
    class Slotted:
        __slots__ = ("x",)

        def __call__(self):
            return "old"

    async with replica() as bench:
        await bench.load(Slotted)
        report = await bench.obey("keep", bench.request(second()))
        answer = await bench.http().done()

    assert report.refused == "Slotted has __slots__"
    assert answer.body == b"old"


async def test_once_its_last_call_has_ended_old_code_is_freed(replica, monkeypatch):
    monkeypatch.setattr(replica_module, "_COLLECT_AFTER_S", 0.0)
    gate = asyncio.Event()

    class Model:
        async def __call__(self):
            await gate.wait()
            return "old"

    old = weakref.ref(Model)
    async with replica() as bench:
        await bench.load(Model)
        bench.shelf.forget()
        del Model

        class Renewed:
            async def __call__(self):
                return "new"

        running = bench.http()
        while not (await bench.process.describe()).ongoing:
            await asyncio.sleep(0.001)
        report = await bench.obey("keep", bench.request(Renewed))
        assert old() is not None
        bench.process._io.loop.call_soon_threadsafe(gate.set)
        await running.done()
        async with asyncio.timeout(10):
            while old() is not None:
                await asyncio.sleep(0.001)

    assert not report.refused
    assert running.body == b"old"


# -- drain -----------------------------------------------------------------------------


async def test_draining_lets_running_calls_end_and_turns_new_ones_away(replica):
    gate, ended = asyncio.Event(), []

    class Model:
        async def __call__(self):
            await gate.wait()
            return "done"

        async def __del__(self):
            ended.append("destroyed")

    async with replica() as bench:
        await bench.load(Model)
        running = bench.http()
        await running.until(lambda _: True)
        while not (await bench.process.describe()).ongoing:
            await asyncio.sleep(0.001)
        draining = asyncio.ensure_future(bench.process.drain(10))
        while not (await bench.process.describe()).is_draining:
            await asyncio.sleep(0.001)
        late = bench.http()
        bench.process._io.loop.call_soon_threadsafe(gate.set)
        await draining
        await running.done()

    assert running.body == b"done"
    assert late.reply is None
    assert ended == ["destroyed"]


async def test_whoever_asks_again_waits_for_the_drain_that_goes_on(replica):
    gate = asyncio.Event()

    class Model:
        async def __call__(self):
            await gate.wait()
            return "done"

    async with replica() as bench:
        await bench.load(Model)
        running = bench.http()
        while not (await bench.process.describe()).ongoing:
            await asyncio.sleep(0.001)
        first = asyncio.ensure_future(bench.process.drain(10))
        while not (await bench.process.describe()).is_draining:
            await asyncio.sleep(0.001)
        first.cancel()
        second = asyncio.ensure_future(bench.process.drain(0))
        has_ended, _ = await asyncio.wait({second}, timeout=0.2)
        bench.process._io.loop.call_soon_threadsafe(gate.set)
        await second
        await running.done()

    assert not has_ended
    assert running.body == b"done"


async def test_past_its_patience_a_drain_cancels_and_says_so(replica):
    class Model:
        async def __call__(self):
            await asyncio.Event().wait()

    async with replica() as bench:
        await bench.load(Model)
        running = bench.http()
        while not (await bench.process.describe()).ongoing:
            await asyncio.sleep(0.001)
        await bench.process.drain(0.01)
        await running.done()

    assert running.failure.kind is FailureKind.REPLICA_LOST
    assert "0.01 s" in running.failure.message


async def test_a_failing_destructor_does_not_stop_the_drain(replica, caplog):
    class Model:
        def __del__(self):
            raise ValueError("cannot let go")

    async with replica() as bench:
        await bench.load(Model)
        await bench.process.drain(1)

    assert "cannot let go" in caplog.text
