"""Commands go by channel where there is one, and are carried out once."""

import asyncio
import pickle

import pytest

from workbench.controller.commands import Commands
from workbench.spec.replica import Report
from workbench.wire.messages import Reported


class Teller:
    """Routers with a channel, and what they were told."""

    def __init__(self, *names):
        self.names = names
        self.told = []

    def tell(self, name, message, buffers):
        if name in self.names:
            self.told.append((name, message.id, message.step, pickle.loads(buffers[0])))
        return name in self.names


class Process:
    name = "shell-1"

    def __init__(self, error=None):
        self.calls = []
        self.error = error

    async def call(self, method, *args):
        self.calls.append((method, *args))
        if self.error:
            raise self.error
        return Report(took_s=2.0)

    async def wait_for_death(self):
        raise NotImplementedError

    async def end(self):
        raise NotImplementedError


def given(commands, process, *, request="seat"):
    return asyncio.ensure_future(commands.give(process, "keep", request))


@pytest.mark.anyio
async def test_a_command_and_its_report_go_by_channel():
    teller, process = Teller("1"), Process()
    commands = Commands(teller)
    first, second = given(commands, process), given(commands, process, request="other")
    await asyncio.sleep(0)

    (_, one, *_), (_, other, *_) = teller.told
    assert one != other
    assert teller.told == [("1", one, "keep", "seat"), ("1", other, "keep", "other")]
    commands.take("1", Reported(other, "", "no such class", 0.5))
    commands.take("1", Reported(one, "raised", "", 1.0))

    assert await first == Report(error="raised", took_s=1.0)
    assert await second == Report(refused="no such class", took_s=0.5)
    assert not process.calls


@pytest.mark.anyio
async def test_without_a_channel_ray_carries_it():
    teller, process = Teller("2"), Process()
    assert await Commands(teller).give(process, "keep", "seat") == Report(took_s=2.0)
    ((method, _, step, request),) = process.calls
    assert (method, step, pickle.loads(request)) == ("obey", "keep", "seat")


@pytest.mark.anyio
async def test_what_is_large_ray_carries():
    teller, process = Teller("1"), Process()
    await Commands(teller).give(process, "keep", bytes(1 << 20))
    assert not teller.told
    assert len(process.calls) == 1


@pytest.mark.anyio
async def test_a_lost_report_is_asked_for_by_the_same_id():
    teller, process = Teller("1"), Process()
    commands = Commands(teller)
    report = given(commands, process)
    await asyncio.sleep(0)
    commands.forget("2")
    assert not process.calls
    commands.forget("1")

    assert await report == Report(took_s=2.0)
    assert process.calls[0][1] == teller.told[0][1]


@pytest.mark.anyio
async def test_who_ended_before_it_reported_is_told():
    commands = Commands(Teller("1"))
    report = given(commands, Process(ProcessLookupError("killed")))
    await asyncio.sleep(0)
    commands.forget("1")
    with pytest.raises(ProcessLookupError, match="killed"):
        await report


@pytest.mark.anyio
async def test_reports_that_nobody_waits_for_are_no_harm():
    commands = Commands(Teller("1"))
    commands.take("1", Reported("7", "", "", 0.0))
    report = given(commands, Process())
    await asyncio.sleep(0)
    report.cancel()
    commands.take("1", Reported("7", "", "", 0.0))
    commands.forget("1")
    with pytest.raises(asyncio.CancelledError):
        await report
