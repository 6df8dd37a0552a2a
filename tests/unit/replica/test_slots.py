"""The cap on running calls, and who is told when there is room again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.replica.slots import Slots


def test_no_more_slots_are_taken_than_there_are():
    slots: Slots[str] = Slots(2)

    assert [slots.take_nowait() for _ in range(4)] == [True, True, False, False]
    assert slots.taken == 2


def test_a_slot_given_back_can_be_taken_again():
    slots: Slots[str] = Slots(1)
    slots.take_nowait()
    slots.give_back()

    assert slots.take_nowait()


def test_a_slot_cannot_be_given_back_twice():
    slots: Slots[str] = Slots(1)
    slots.take_nowait()
    slots.give_back()

    with pytest.raises(RuntimeError, match="given back twice"):
        slots.give_back()


def test_whoever_was_turned_away_first_is_told_first_and_once():
    slots: Slots[str] = Slots(1)
    slots.take_nowait()
    for waiter in ("a", "b", "a"):
        slots.remember(waiter)
    slots.give_back()

    assert [slots.next_waiting() for _ in range(3)] == ["a", "b", None]


def test_nobody_is_told_while_no_slot_is_open():
    slots: Slots[str] = Slots(1)
    slots.take_nowait()
    slots.remember("a")

    assert slots.next_waiting() is None
    assert slots.has_waiting


def test_one_who_left_is_not_told():
    slots: Slots[str] = Slots(1)
    slots.remember("a")
    slots.forget("a")

    assert slots.next_waiting() is None


def test_fewer_slots_leave_running_calls_alone():
    slots: Slots[str] = Slots(3)
    for _ in range(3):
        slots.take_nowait()
    slots.size = 1
    slots.give_back()

    assert slots.taken == 2
    assert not slots.take_nowait()


@given(st.lists(st.sampled_from(["take", "give", "grow", "shrink"])))
def test_whatever_happens_the_cap_holds(steps):
    slots: Slots[str] = Slots(3)
    for step in steps:
        if step == "take":
            had_room = slots.taken < slots.size
            assert slots.take_nowait() is had_room
        elif step == "give" and slots.taken:
            slots.give_back()
        elif step == "grow":
            slots.size += 1
        elif step == "shrink" and slots.size > 1:
            slots.size -= 1
    assert slots.taken >= 0
