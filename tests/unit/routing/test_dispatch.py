"""Calls through a router to replicas, over real channels in one loop."""

import asyncio
from dataclasses import replace

import pytest

from tests.unit.routing.conftest import KEY, SECRET, Controller, reply_head
from workbench.routing import dispatch
from workbench.routing.link import Link
from workbench.spec.table import RouteEntry, Table, TableChange
from workbench.wire.channel import connect
from workbench.wire.messages import (
    Body,
    Call,
    Cancel,
    Chunk,
    Credit,
    Drain,
    Drained,
    End,
    Failure,
    FailureKind,
    Free,
    Line,
    Result,
    Said,
    Subscribe,
    TableSeen,
)

pytestmark = pytest.mark.anyio


async def settle():
    """Let everything that is on its way arrive."""
    for _ in range(20):
        await asyncio.sleep(0)


async def finish(callers, *replicas):
    """Answer whatever runs until everybody has an answer."""
    async with asyncio.timeout(10):
        while not all(caller.got for caller in callers):
            for replica in replicas:
                for call_id in list(replica.running):
                    replica.answer(call_id)
            await asyncio.sleep(0)


# -- one call ----------------------------------------------------------------------


async def test_a_call_is_answered(stage):
    replica = await stage.replica("a")
    stage.deploy(replica)

    caller = stage.call(b"args")
    await replica.until(lambda it: it.running)
    replica.answer(caller.id, Result(caller.id), b"result")

    assert await caller.answer() == ("reply", b"result")


async def test_a_failure_is_passed_on(stage):
    replica = await stage.replica("a")
    stage.deploy(replica)

    caller = stage.call()
    await replica.until(lambda it: it.running)
    failure = Failure(caller.id, FailureKind.USER, "ValueError", "no")
    replica.answer(caller.id, failure, b"pickle")

    assert await caller.answer() == (FailureKind.USER, "ValueError", "no")


async def test_a_stream_is_passed_on_and_credited(stage):
    replica = await stage.replica("a")
    stage.deploy(replica)

    caller = stage.http_call()
    await replica.until(lambda it: it.running)
    replica.say(reply_head(caller.id, more=True), b"head")
    replica.say(Chunk(caller.id), b"1")
    await caller.until(lambda it: len(it.got) == 2)
    caller.ticket.credit(7)
    await replica.until(lambda it: it.heard)
    replica.end(caller.id, End(caller.id))
    await caller.until(lambda it: len(it.got) == 3)
    caller.ticket.credit(7)
    caller.ticket.cancel()
    await settle()

    assert caller.got == [("reply", b"head"), ("chunk", b"1"), ("end",)]
    assert replica.heard == [(Credit(caller.id, 7),)]


async def test_what_is_said_of_unknown_calls_is_ignored(stage, caplog):
    replica = await stage.replica("a")
    stage.deploy(replica)
    caller = stage.call()
    await replica.until(lambda it: it.running)

    for message in (Result(99), Chunk(99), End(99), Credit(99, 1), Cancel(99)):
        replica.say(message)
    replica.answer(caller.id)

    assert await caller.answer() == ("reply",)
    assert "Cancel(id=99)" in caplog.text


async def test_a_receiver_that_raises_harms_no_other_call(stage, caplog):
    replica = await stage.replica("a")
    stage.deploy(replica)
    bad, good = stage.call(), stage.call()
    bad.on_reply = None

    await replica.until(lambda it: len(it.running) == 2)
    replica.answer(bad.id)
    replica.answer(good.id)

    assert await good.answer() == ("reply",)
    assert "did not take Result" in caplog.text


async def test_a_receiver_that_raises_on_a_failure_harms_no_other_call(stage, caplog):
    stage.deploy()
    bad, good = stage.call(), stage.call()
    bad.on_failure = None

    stage.deploy(failure="broken")

    assert (await good.answer())[0] is FailureKind.UNAVAILABLE
    assert "did not take a failure" in caplog.text


async def test_a_call_too_large_to_travel_fails_alone(stage, monkeypatch):
    monkeypatch.setattr("workbench.wire.framing.MAX_FRAME_BYTES", 100)
    replica = await stage.replica("a", slots=1)
    stage.deploy(replica, cap=1)

    first, large, small = stage.call(), stage.call(b"x" * 200), stage.call()
    await replica.until(lambda it: it.running)
    replica.answer(first.id)
    kind, _, message = await large.answer()
    await replica.until(lambda it: small.id in it.running)

    assert kind is FailureKind.UNREADABLE
    assert "can travel" in message


# -- which replica -----------------------------------------------------------------


async def test_calls_spread_over_replicas_and_never_pass_the_cap(stage):
    replicas = [await stage.replica(name) for name in "ab"]
    stage.deploy(*replicas)
    first = stage.call()
    await settle()
    for replica in replicas:
        await replica.until(lambda it: it.channels)

    callers = [first, *(stage.call() for _ in range(7))]
    await settle()

    assert [len(each.running) for each in replicas] == [2, 2]
    assert replicas[0].rejected == replicas[1].rejected == []
    await finish(callers, *replicas)
    assert [caller.got for caller in callers] == [[("reply",)]] * 8


async def test_a_rejected_call_goes_elsewhere(stage):
    full, empty = await stage.replica("full", slots=0), await stage.replica("empty")
    stage.deploy(full, empty)
    warm = stage.call()
    for replica in (full, empty):
        await replica.until(lambda it: it.channels)

    caller = stage.call()
    await empty.until(lambda it: caller.id in it.running)
    empty.answer(caller.id)

    assert await caller.answer() == ("reply",)
    assert warm.got == []


async def test_a_rejected_call_waits_for_a_free_slot(stage):
    replica = await stage.replica("a", slots=1)
    stage.deploy(replica, cap=1)
    other = stage.new_router()
    other.update(stage.table)
    first = stage.call(router=other)
    await replica.until(lambda it: it.running)

    caller = stage.call()
    await replica.until(lambda it: it.rejected)
    replica.answer(first.id)
    await replica.until(lambda it: it.running)
    replica.answer(caller.id)

    assert await caller.answer() == ("reply",)
    assert len(replica.rejected) == 1


async def test_two_routers_share_one_replica(stage):
    replica = await stage.replica("a", slots=4)
    stage.deploy(replica, cap=4)
    other = stage.new_router()
    other.update(stage.table)

    callers = [stage.call() for _ in range(50)]
    callers += [stage.call(router=other) for _ in range(50)]
    await finish(callers, replica)

    assert [caller.got for caller in callers] == [[("reply",)]] * 100
    assert replica.most == 4


# -- waiting -----------------------------------------------------------------------


async def test_calls_wait_for_the_first_replica(stage):
    stage.deploy()
    caller = stage.call()
    await settle()
    waited = not caller.got

    replica = await stage.replica("a")
    stage.deploy(replica)
    await replica.until(lambda it: it.running)
    replica.answer(caller.id)

    assert waited
    assert await caller.answer() == ("reply",)


async def test_calls_wait_for_the_first_table(stage):
    replica = await stage.replica("a")
    caller = stage.call()

    stage.deploy(replica)
    await replica.until(lambda it: it.running)
    replica.answer(caller.id)

    assert await caller.answer() == ("reply",)


async def test_a_full_queue_refuses(stage):
    stage.deploy(queue=1)
    waiting, refused = stage.call(), stage.call()

    told_at_once = bool(refused.got)
    kind, error, message = await refused.answer()

    assert not told_at_once
    assert (kind, error) == (FailureKind.QUEUE_FULL, "BackPressureError")
    assert "max_queued_requests=1" in message
    assert waiting.got == []


async def test_a_burst_is_not_refused_while_channels_are_being_opened(stage):
    replicas = [await stage.replica(name, slots=3) for name in "ab"]
    stage.deploy(*replicas, cap=3, queue=1)

    callers = [stage.call() for _ in range(8)]
    await finish(callers, *replicas)

    kinds = [caller.got[0][0] for caller in callers]
    assert kinds == ["reply"] * 7 + [FailureKind.QUEUE_FULL]


async def test_a_refused_call_that_is_cancelled_hears_nothing(stage):
    stage.deploy(queue=1)
    stage.call()
    refused = stage.call()

    refused.ticket.cancel()
    await settle()

    assert refused.got == []


async def test_a_failed_deployment_refuses_with_its_reason(stage):
    stage.deploy()
    waiting = stage.call()

    stage.deploy(failure="Its constructor raised KeyError.")
    later = stage.call()

    reason = (
        FailureKind.UNAVAILABLE,
        "DeploymentUnavailableError",
        "Its constructor raised KeyError.",
    )
    assert await waiting.answer() == reason
    assert await later.answer() == reason


async def test_a_deployment_that_comes_back_takes_calls_again(stage):
    replica = await stage.replica("a")
    stage.deploy(failure="broken")
    await stage.call().answer()

    stage.deploy(replica)
    caller = stage.call()

    await replica.until(lambda it: caller.id in it.running)


async def test_an_unknown_deployment_is_given_a_moment_to_appear(stage, monkeypatch):
    monkeypatch.setattr(dispatch, "_UNKNOWN_S", 0.01)
    replica = await stage.replica("a")
    stage.undeploy()
    early = stage.call()
    stage.deploy(replica)
    never = stage.call(key="app#other")
    await replica.until(lambda it: early.id in it.running)

    kind, error, message = await never.answer()

    assert (kind, error) == (FailureKind.UNAVAILABLE, "DeploymentUnavailableError")
    assert "'other'" in message


async def test_before_the_first_table_no_deployment_is_unknown(stage, monkeypatch):
    monkeypatch.setattr(dispatch, "_UNKNOWN_S", 0)
    caller = stage.call()
    await settle()
    waited = not caller.got

    stage.undeploy()

    assert waited
    assert (await caller.answer())[0] is FailureKind.UNAVAILABLE


async def test_a_deleted_deployment_refuses_what_waits_and_ends_what_runs(stage):
    replica = await stage.replica("a", slots=1)
    stage.deploy(replica, cap=1)
    running, waiting = stage.call(), stage.call()
    await replica.until(lambda it: it.running)

    stage.undeploy()
    refusal = await waiting.answer()
    replica.answer(running.id)

    assert refusal[0] is FailureKind.UNAVAILABLE
    assert await running.answer() == ("reply",)
    await replica.channels[0].wait_closed()


async def test_a_call_rejected_by_a_deleted_deployment_is_refused(stage):
    replica = await stage.replica("a", slots=0)
    stage.deploy(replica)
    caller = stage.call()
    await replica.until(lambda it: it.rejected)

    replica.say(Free())
    await replica.until(lambda it: len(it.rejected) == 2)
    stage.undeploy()

    assert (await caller.answer())[0] is FailureKind.UNAVAILABLE


# -- cancelling --------------------------------------------------------------------


async def test_a_waiting_call_that_is_cancelled_never_runs(stage):
    replica = await stage.replica("a", slots=1)
    stage.deploy(replica, cap=1)
    first, second, third = stage.call(), stage.call(), stage.call()
    await replica.until(lambda it: it.running)

    second.ticket.cancel()
    replica.answer(first.id)
    await replica.until(lambda it: third.id in it.running)

    assert replica.taken == [first.id, third.id]
    assert second.got == []


async def test_a_running_call_that_is_cancelled_makes_room(stage):
    replica = await stage.replica("a", slots=1)
    stage.deploy(replica, cap=1)
    first, second = stage.call(), stage.call()
    await replica.until(lambda it: it.running)

    first.ticket.cancel()
    first.ticket.cancel()
    await replica.until(lambda it: second.id in it.running)

    assert replica.heard == [Cancel(first.id)]
    assert first.got == []


async def test_an_answer_that_crosses_a_cancel_is_dropped(stage):
    replica = await stage.replica("a")
    stage.deploy(replica)
    caller = stage.call()
    await replica.until(lambda it: it.running)

    replica.answer(caller.id)
    caller.ticket.cancel()
    await replica.until(lambda it: it.heard)

    assert caller.got == []


async def test_a_rejection_that_crosses_a_cancel_counts_but_moves_nothing(stage):
    replica = await stage.replica("a", slots=0)
    stage.deploy(replica, cap=1)
    warm = stage.call()
    await replica.until(lambda it: it.rejected)
    replica.say(Free())
    await replica.until(lambda it: len(it.rejected) == 2)

    warm.ticket.cancel()
    replica.slots = 1
    replica.say(Free())
    await settle()
    caller = stage.call()
    await replica.until(lambda it: caller.id in it.running)

    assert warm.got == []


# -- uploads -----------------------------------------------------------------------


async def test_a_body_follows_once_the_call_is_taken(stage):
    replica = await stage.replica("a")
    stage.deploy(replica)
    caller = stage.http_call(b"1", more_body=True)
    caller.ticket.send_body(b"2", last=False)
    await replica.until(lambda it: it.running)
    caller.ticket.send_body(b"3", last=False)
    await settle()
    held = replica.heard == []

    replica.say(Credit(caller.id, 5))
    assert await caller.answer() == ("credit", 5)
    caller.ticket.send_body(b"4", last=True)
    await replica.until(lambda it: len(it.heard) == 3)

    assert held
    assert replica.heard == [
        (Body(caller.id, last=False), b"2"),
        (Body(caller.id, last=False), b"3"),
        (Body(caller.id, last=True), b"4"),
    ]


async def test_a_rejected_upload_is_whole_elsewhere(stage):
    full, empty = await stage.replica("full", slots=0), await stage.replica("empty")
    stage.deploy(full)
    caller = stage.http_call(b"1", more_body=True)
    caller.ticket.send_body(b"2", last=True)
    await full.until(lambda it: it.rejected)

    stage.deploy(full, empty)
    await empty.until(lambda it: it.running)
    empty.say(Credit(caller.id, 0))
    await empty.until(lambda it: it.heard)

    assert empty.heard == [(Body(caller.id, last=True), b"2")]
    assert full.heard == []


async def test_a_reply_that_begins_before_the_body_ends_shows_it_was_taken(stage):
    replica = await stage.replica("a")
    stage.deploy(replica)
    caller = stage.http_call(b"1", more_body=True)
    caller.ticket.send_body(b"2", last=False)
    await replica.until(lambda it: it.running)

    replica.say(reply_head(caller.id, more=True))
    await replica.until(lambda it: it.heard)

    assert replica.heard == [(Body(caller.id, last=False), b"2")]


async def test_an_answer_makes_the_rest_of_the_body_needless(stage):
    replica = await stage.replica("a")
    stage.deploy(replica)
    caller = stage.http_call(b"1", more_body=True)
    caller.ticket.send_body(b"2", last=False)
    await replica.until(lambda it: it.running)

    replica.answer(caller.id, reply_head(caller.id, more=False))
    await caller.answer()
    caller.ticket.send_body(b"3", last=True)
    await settle()

    assert replica.heard == []


# -- replicas come and go ----------------------------------------------------------


async def test_a_lost_replica_fails_what_it_had_and_nothing_else(stage):
    replica, other = await stage.replica("a", slots=1), await stage.replica("b")
    stage.deploy(replica, cap=1)
    running, waiting = stage.call(), stage.call()
    await replica.until(lambda it: it.running)

    await replica.die()
    kind, error, message = await running.answer()
    stage.deploy(replica, other)
    await other.until(lambda it: waiting.id in it.running)

    assert (kind, error) == (FailureKind.REPLICA_LOST, "ReplicaUnavailableError")
    assert "Replica a of app#d" in message
    assert waiting.got == []


async def test_a_lost_channel_comes_back_while_the_replica_is_in_the_table(stage):
    replica = await stage.replica("a")
    stage.deploy(replica)
    stage.call()
    await replica.until(lambda it: it.running)
    replica.channels[0].close()
    await replica.channels[0].wait_closed()

    caller = stage.call()

    await replica.until(lambda it: caller.id in it.running)
    assert len(replica.channels) == 2


async def test_a_replica_that_cannot_be_reached_is_left_out(stage):
    dead, alive = await stage.replica("dead"), await stage.replica("alive")
    await dead.die()
    stage.deploy(dead, alive)

    callers = [stage.call() for _ in range(2)]

    await alive.until(lambda it: len(it.running) == 2)
    assert [caller.got for caller in callers] == [[], []]


async def test_draining_is_acknowledged_and_lets_calls_finish(stage):
    old, new = await stage.replica("old"), await stage.replica("new")
    stage.deploy(old)
    running = stage.call()
    await old.until(lambda it: it.running)

    old.say(Drain())
    await old.until(lambda it: it.heard)
    waiting = stage.call()
    stage.deploy(old, new)
    await new.until(lambda it: waiting.id in it.running)
    old.answer(running.id)

    assert old.heard == [(Drained(),)]
    assert old.taken == [running.id]
    assert await running.answer() == ("reply",)
    assert old.channels[0].is_open


async def test_a_draining_replica_that_rejects_gets_no_more(stage):
    old, new = await stage.replica("old"), await stage.replica("new")
    stage.deploy(old)
    warm = stage.call()
    await old.until(lambda it: it.running)
    old.is_draining = True

    callers = [stage.call() for _ in range(2)]
    await old.until(lambda it: it.rejected)
    stage.deploy(old, new)
    await new.until(lambda it: len(it.running) == 2)

    assert old.rejected == [callers[0].id]
    assert warm.got == []


@pytest.mark.parametrize("turns", range(12))
async def test_a_replica_may_be_replaced_while_it_is_being_reached(stage, turns):
    old, new = await stage.replica("old"), await stage.replica("new")
    stage.deploy(old)
    caller = stage.call()

    for _ in range(turns):
        await asyncio.sleep(0)
    stage.deploy(new)
    await finish([caller], old, new)
    for channel in old.channels:
        await channel.wait_closed()

    assert caller.got == [("reply",)]


async def test_a_channel_that_opens_too_late_is_closed_unused(stage):
    replica = await stage.replica("a")
    stage.deploy()
    lane = stage.router._open_lane(KEY)
    link = Link(lane, KEY, replica.entry)
    link.retire()

    channel = await connect(link, replica.entry.address, host_id="here", secret=SECRET)
    caller = stage.call()
    await channel.wait_closed()

    assert replica.running == {}
    assert caller.got == []


async def test_a_replaced_replica_finishes_and_its_channel_closes(stage):
    old, new = await stage.replica("old"), await stage.replica("new")
    stage.deploy(old)
    before = stage.call()
    await old.until(lambda it: it.running)

    stage.deploy(new)
    after = stage.call()
    await new.until(lambda it: after.id in it.running)
    still_open = old.channels[0].is_open
    old.answer(before.id)

    assert await before.answer() == ("reply",)
    assert still_open
    await old.channels[0].wait_closed()


async def test_no_call_fails_while_replicas_are_replaced_again_and_again(stage):
    replica = await stage.replica("0")
    stage.deploy(replica)
    callers = []
    for number in range(1, 20):
        callers += [stage.call() for _ in range(5)]
        new = await stage.replica(str(number))
        stage.deploy(new)
        replica.is_draining = True
        for channel in replica.channels:
            channel.send(Drain())
        if number % 3 == 0:
            await finish(callers, *stage.replicas)
        replica = new
    await finish(callers, *stage.replicas)

    assert {caller.got[0] for caller in callers} == {("reply",)}


async def test_an_option_change_reaches_living_replicas(stage):
    replica = await stage.replica("a", slots=3)
    stage.deploy(replica, cap=1)
    for _ in range(3):
        stage.call()
    await replica.until(lambda it: it.running)

    stage.deploy(replica, cap=3)

    await replica.until(lambda it: len(it.running) == 3)
    assert len(replica.channels) == 1


async def test_closing_fails_what_waits_and_what_runs(stage):
    replica = await stage.replica("a", slots=1)
    stage.deploy(replica, cap=1)
    running, waiting = stage.call(), stage.call()
    await replica.until(lambda it: it.running)

    await stage.router.close()

    assert (await running.answer())[0] is FailureKind.REPLICA_LOST
    assert (await waiting.answer())[0] is FailureKind.UNAVAILABLE


# -- tables ------------------------------------------------------------------------


def routes(*prefixes):
    return tuple(
        RouteEntry(prefix=each, app="app", deployment=KEY) for each in prefixes
    )


async def test_older_tables_are_ignored(stage):
    router = stage.router
    router.update(Table(version=5, routes=routes("/new")))
    router.update(Table(version=4, routes=routes("/old")))
    router.update(Table(version=5, routes=routes("/same")))

    assert router.routes() == {"/new": "app"}
    assert router.match("/new/x").deployment == KEY
    assert router.match("/old") is None


async def test_following_the_controller(stage):
    controller = Controller(Table(version=3, routes=routes("/a")))
    address = await controller.start(stage.directory)
    following = asyncio.ensure_future(stage.router.follow(address))
    ready_before = stage.router.is_ready
    async with asyncio.timeout(10):
        await stage.router.wait_until_ready()
    first = stage.router.routes()

    controller.publish(Table(version=4, routes=routes("/b")))
    await controller.until(lambda it: TableSeen(4) in it.heard)
    second = stage.router.routes()
    following.cancel()
    await controller.die()
    await asyncio.wait([following])

    assert not ready_before
    assert (first, second) == ({"/a": "app"}, {"/b": "app"})
    assert controller.heard == [Subscribe("test"), TableSeen(3), TableSeen(4)]


async def test_following_changes_and_asking_again_after_a_gap(stage):
    controller = Controller(Table(version=3, routes=routes("/a")))
    address = await controller.start(stage.directory)
    following = asyncio.ensure_future(stage.router.follow(address))
    await controller.until(lambda it: TableSeen(3) in it.heard)

    controller.change(TableChange(version=4, after=3, routes=routes("/b")))
    await controller.until(lambda it: TableSeen(4) in it.heard)
    both = stage.router.routes()
    controller.table = Table(version=9, routes=routes("/c"))
    controller.change(TableChange(version=8, after=7, routes=routes("/lost")))
    await controller.until(lambda it: TableSeen(9) in it.heard)
    following.cancel()
    await controller.die()
    await asyncio.wait([following])

    assert both == {"/a": "app", "/b": "app"}
    assert stage.router.routes() == {"/c": "app"}
    assert controller.heard.count(Subscribe("test")) == 2


async def test_a_change_moves_the_calls_of_what_changed_and_of_nothing_else(stage):
    first, second = await stage.replica("a"), await stage.replica("b")
    stage.deploy(first)
    (entry,) = stage.table.deployments
    other = replace(entry, name="other", replicas=(second.entry,))
    stage.publish(deployments=(entry, other))
    calls = [stage.call(), stage.call(key="app#other")]
    await first.until(lambda it: calls[0].id in it.running)
    await second.until(lambda it: calls[1].id in it.running)

    change = TableChange(
        version=stage.table.version + 1,
        after=stage.table.version,
        deployments=(replace(other, max_ongoing_requests=5),),
        deployments_gone=(KEY,),
    )
    assert stage.router.change(change)
    refused, taken = stage.call(), stage.call(key="app#other")

    await second.until(lambda it: taken.id in it.running)
    kind, _, message = await refused.answer()
    assert kind is FailureKind.UNAVAILABLE
    assert "has no deployment 'd'" in message


async def test_the_last_table_serves_until_a_controller_that_starts_anew(stage):
    replica = await stage.replica("a")
    stage.deploy(replica)
    controller = Controller(stage.table)
    address = await controller.start(stage.directory)
    following = asyncio.ensure_future(stage.router.follow(address))
    await controller.until(lambda it: it.heard)

    await controller.die()
    caller = stage.call()
    await replica.until(lambda it: caller.id in it.running)
    anew = Controller(Table(version=0, routes=routes("/anew")))
    await anew.start(stage.directory, port=address.port)
    await anew.until(lambda it: TableSeen(0) in it.heard)
    following.cancel()
    await anew.die()
    await asyncio.wait([following])

    assert stage.router.routes() == {"/anew": "app"}


async def test_what_is_told_goes_to_the_controller_or_is_given_back(stage):
    said = Said("app", "d", "r1", [Line(1.0, "INFO", "stdout", "", "a")], 0)
    told_too_early = stage.router.tell(said)
    controller = Controller(stage.table)
    address = await controller.start(stage.directory)
    following = asyncio.ensure_future(stage.router.follow(address))
    await controller.until(lambda it: TableSeen(0) in it.heard)

    told = stage.router.tell(said)
    await controller.until(lambda it: said in it.heard)
    following.cancel()
    await controller.die()
    await asyncio.wait([following])
    async with asyncio.timeout(10):
        while stage.router.tell(said):
            await asyncio.sleep(0)

    assert (told_too_early, told) == (False, True)


def test_ids_are_never_given_twice():
    router = dispatch.Router(name="x", secret=b"s", host_id="h")

    ids = [router.next_id() for _ in range(100)]

    assert len(set(ids)) == 100
    assert Call(ids[0], "", "", stream=False).id == ids[0]
