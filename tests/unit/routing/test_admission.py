"""Which replica takes a call, and who waits how long."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.routing.admission import Admission

if TYPE_CHECKING:
    from workbench.routing.slots import Slots


@pytest.fixture
def admission():
    made: Admission[str] = Admission()
    made.resize(2, -1)
    return made


def take(admission, call_id):
    slots = admission.take(call_id)
    return slots and slots.replica


def test_the_least_loaded_replica_is_taken_in_turn(admission):
    for name in "abc":
        admission.add(name)

    assert [take(admission, n) for n in range(1, 8)] == [*"abcabc", None]


def test_a_replica_that_is_done_first_is_taken_first(admission):
    slots = {name: admission.add(name) for name in "ab"}
    for n in range(1, 5):
        admission.take(n)

    slots["b"].end()
    slots["b"].end()
    slots["a"].end()

    assert [take(admission, n) for n in (5, 6, 7, 8)] == ["b", "a", "b", None]


def test_without_replicas_nothing_is_taken(admission):
    assert take(admission, 1) is None


def test_calls_wait_in_order(admission):
    for n in range(1, 5):
        assert admission.enqueue(n, f"call {n}")
    admission.add("a")

    assert [call for call, _ in admission.pump()] == ["call 1", "call 2"]
    assert admission.queued == 2


def test_rejected_calls_go_before_new_ones_in_their_order(admission):
    admission.enqueue(3, "new")
    admission.put_back(1, "rejected first")
    admission.put_back(2, "rejected second")
    admission.resize(3, -1)
    admission.add("a")

    assert [call for call, _ in admission.pump()] == [
        "rejected first",
        "rejected second",
        "new",
    ]


def test_the_queue_has_a_limit_for_new_calls_only(admission):
    admission.resize(1, 2)

    assert admission.enqueue(1, "one")
    assert admission.enqueue(2, "two")
    assert not admission.enqueue(3, "three")
    admission.put_back(0, "rejected")
    assert admission.queued == 3


def test_calls_that_a_replica_on_its_way_will_take_do_not_fill_the_queue(admission):
    admission.resize(2, 1)

    taken = [admission.enqueue(n, str(n), unreached=1) for n in range(4)]

    assert taken == [True, True, True, False]


def test_a_withdrawn_call_waits_no_more(admission):
    admission.enqueue(1, "queued")
    admission.put_back(2, "rejected")

    admission.withdraw(1)
    admission.withdraw(2)
    admission.withdraw(3)
    admission.add("a")

    assert list(admission.pump()) == []


def test_dropping_gives_back_all_that_waits(admission):
    admission.enqueue(2, "queued")
    admission.put_back(1, "rejected")

    assert admission.drop_all() == ["rejected", "queued"]
    assert admission.queued == 0


def test_after_a_rejection_no_more_is_sent_than_was_taken(admission):
    admission.resize(5, -1)
    slots = admission.add("a")
    for n in range(1, 4):
        admission.take(n)

    slots.reject()

    assert take(admission, 4) is None
    slots.end()
    assert take(admission, 5) == "a"
    assert take(admission, 6) is None


def test_free_makes_room_for_one_call(admission):
    slots = admission.add("a")
    admission.take(1)
    slots.reject()

    slots.free()

    assert [take(admission, 2), take(admission, 3)] == ["a", None]


def test_free_never_lifts_the_limit_above_the_cap(admission):
    slots = admission.add("a")

    slots.free()

    assert [take(admission, n) for n in (1, 2, 3)] == ["a", "a", None]


def test_a_share_grows_back_while_nothing_is_rejected(admission):
    admission.resize(5, -1)
    slots = admission.add("a")
    admission.take(1)
    admission.take(2)
    slots.reject()

    limits = []
    for n in range(3, 9):
        slots.end()
        admission.take(n)
        limits.append(slots.limit)

    assert limits == [2, 2, 4, 4, 4, 4]
    for n in range(9, 12):
        slots.end()
        admission.take(n)
    assert slots.limit == 5


def test_a_removed_replica_gets_nothing(admission):
    slots = admission.add("a")

    admission.remove(slots)
    admission.remove(slots)

    assert take(admission, 1) is None


def test_resizing_changes_the_cap_of_every_replica(admission):
    full = admission.add("full")
    for n in (1, 2):
        admission.take(n)
    saturated = admission.add("saturated")
    admission.take(3)
    saturated.reject()

    admission.resize(4, -1)

    assert [full.limit, saturated.limit] == [4, 0]
    assert [take(admission, n) for n in (4, 5, 6)] == ["full", "full", None]
    admission.resize(1, -1)
    assert [full.limit, saturated.limit] == [1, 0]


events = st.lists(
    st.tuples(
        st.sampled_from(["call", "end", "reject", "free", "resize", "add", "remove"]),
        st.integers(0, 5),
    ),
    max_size=60,
)


@given(events)
def test_whatever_happens_no_replica_gets_more_than_the_cap(events):
    admission: Admission[int] = Admission()
    admission.resize(3, -1)
    replicas: list[Slots] = []
    next_id = 1
    for name, number in events:
        busy = [slots for slots in replicas if slots.ongoing]
        match name:
            case "call":
                admission.enqueue(next_id, next_id)
                next_id += 1
            case "end" if busy:
                busy[number % len(busy)].end()
            case "reject" if busy:
                busy[number % len(busy)].reject()
            case "free" if replicas:
                replicas[number % len(replicas)].free()
            case "resize":
                admission.resize(max(number, 1), -1)
            case "add":
                replicas.append(admission.add(str(number)))
            case "remove" if replicas:
                admission.remove(replicas.pop())
        before = [slots.ongoing for slots in replicas]
        order = [call for call, _ in admission.pump()]
        assert order == sorted(order)
        for slots, had in zip(replicas, before, strict=True):
            assert slots.ongoing <= max(had, slots.limit)
            assert slots.limit <= slots.cap
        room = any(slots.ongoing < slots.limit for slots in replicas)
        assert not (room and admission.queued)
