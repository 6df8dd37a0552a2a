"""What waits for a page is bounded; statuses are never lost, samples may be."""

import pytest

from workbench.sidebar.page import Message, PageQueue, Slot


def message(slot, text, instance="i"):
    return Message(slot=slot, instance=instance, text=text.encode())


def put(queue, *messages):
    for slot, text in messages:
        queue.put_nowait(message(slot, text))


def taken(queue):
    texts = []
    while (found := queue.take_nowait()) is not None:
        texts.append(found.text.decode())
    return texts


@pytest.fixture
def queue():
    return PageQueue()


def test_messages_leave_in_the_order_in_which_they_came(queue):
    put(queue, (Slot.INSTANCES, "list"), (Slot.STATUS, "s"), (Slot.SAMPLE, "1"))

    assert taken(queue) == ["list", "s", "1"]


def test_a_newer_status_takes_the_place_of_one_that_waits(queue):
    put(queue, (Slot.STATUS, "old"), (Slot.SAMPLE, "1"), (Slot.STATUS, "new"))

    assert taken(queue) == ["new", "1"]


def test_a_slow_page_loses_the_oldest_samples_and_no_status(queue):
    put(queue, (Slot.STATUS, "s"), *((Slot.SAMPLE, str(n)) for n in range(100)))

    assert taken(queue) == ["s", *map(str, range(92, 100))]


def test_a_history_replaces_the_samples_that_wait(queue):
    put(queue, (Slot.SAMPLE, "1"), (Slot.HISTORY, "h"), (Slot.SAMPLE, "2"))

    assert taken(queue) == ["h", "2"]


def test_instances_do_not_crowd_each_other_out(queue):
    queue.put_nowait(message(Slot.SAMPLE, "other", instance="j"))
    put(queue, *((Slot.SAMPLE, str(n)) for n in range(100)))

    assert taken(queue)[0] == "other"


def test_what_waits_from_an_instance_that_is_gone_is_dropped(queue):
    put(queue, (Slot.INSTANCES, "list"), (Slot.SAMPLE, "1"))
    queue.put_nowait(message(Slot.SAMPLE, "other", instance="j"))

    queue.forget("i")

    assert taken(queue) == ["other"]
