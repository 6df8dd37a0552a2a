"""The clock that all connections of a server share."""

import asyncio

from workbench.proxy.door import NEVER, Door
from workbench.routing.dispatch import Router
from workbench.spec.http import HTTPOptions


class FakeGuest:
    def __init__(self, expires):
        self.expires = expires
        self.has_expired = asyncio.Event()
        self.is_cut = False

    def expire(self):
        self.expires = NEVER
        self.has_expired.set()

    def cut(self):
        self.is_cut = True


def new_door(**options):
    router = Router(name="test", secret=b"", host_id="")
    return Door(router, HTTPOptions(**options), beat_s=0.001)


def test_guests_expire_at_their_beat():
    async def scenario():
        door = new_door()
        early, late, never = FakeGuest(3), FakeGuest(9), FakeGuest(NEVER)
        for guest in (early, late, never):
            door.join(guest)
        await early.has_expired.wait()
        assert 3 <= door.beat < 9
        await late.has_expired.wait()
        assert door.beat >= 9
        assert not never.has_expired.is_set()
        door.leave(early)
        door.leave(late)
        door.leave(never)

    asyncio.run(scenario())


def test_the_date_is_known_from_the_first_guest_on():
    async def scenario():
        door = new_door()
        guest = FakeGuest(NEVER)
        door.join(guest)
        assert door.date_line.startswith(b"date: ")
        assert door.date_line.endswith(b" GMT\r\n")
        door.leave(guest)

    asyncio.run(scenario())


def test_the_clock_rests_while_nobody_is_there():
    async def scenario():
        door, other = new_door(), new_door()
        guest, timekeeper = FakeGuest(2), FakeGuest(9)
        door.join(guest)
        await guest.has_expired.wait()
        door.leave(guest)
        beat = door.beat
        other.join(timekeeper)
        await timekeeper.has_expired.wait()
        other.leave(timekeeper)
        assert door.beat <= beat + 1

        guest = FakeGuest(beat + 3)
        door.join(guest)
        await guest.has_expired.wait()
        door.leave(guest)

    asyncio.run(scenario())


def test_patience_is_counted_in_beats_and_never_cut_short():
    door = new_door(keep_alive_timeout_s=0.0105)

    assert door.idle_beats == 12


def test_cut_all_cuts_everybody():
    async def scenario():
        door = new_door()
        guests = [FakeGuest(NEVER), FakeGuest(NEVER)]
        for guest in guests:
            door.join(guest)
        door.cut_all()
        assert all(guest.is_cut for guest in guests)

    asyncio.run(scenario())
