"""What goes into a batch, and when it is due."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.replica.batch_policy import BatchOptions, BatchQueue
from workbench.replica.batch_wait import AdaptiveWait


def queue(**options: object) -> BatchQueue[int]:
    return BatchQueue(BatchOptions(**options))  # type: ignore[arg-type]


def fill(batches: BatchQueue[int], items: range, now: float = 0.0) -> None:
    for item in items:
        assert batches.add(item, item, None, now)


def test_a_full_batch_is_due_at_once():
    batches = queue(max_batch_size=3, batch_wait_timeout_s=10)
    fill(batches, range(3))

    assert batches.take(0.0) == [0, 1, 2]


def test_a_batch_that_is_not_full_waits_from_its_first_item_on():
    batches = queue(max_batch_size=3, batch_wait_timeout_s=1)
    batches.add(0, 0, None, 5.0)
    batches.add(1, 1, None, 5.9)

    assert batches.take(5.9) is None
    assert batches.next_due() == 6.0
    assert batches.take(6.0) == [0, 1]


def test_without_a_wait_what_is_there_is_taken():
    batches = queue(batch_wait_timeout_s=0)
    fill(batches, range(4), now=1.0)

    assert batches.take(1.0) == [0, 1, 2, 3]


def test_no_more_batches_run_than_allowed():
    batches = queue(max_batch_size=1, max_concurrent_batches=2)
    fill(batches, range(3))

    assert batches.take(0.0) == [0]
    assert batches.take(0.0) == [1]
    assert batches.take(0.0) is None
    assert batches.next_due() is None
    batches.end(1, 0.1, 0.0)
    assert batches.take(0.0) == [2]


def test_what_is_withdrawn_is_not_run():
    batches = queue(batch_wait_timeout_s=0)
    fill(batches, range(3))
    batches.remove(1)

    assert batches.take(0.0) == [0, 2]
    assert len(batches) == 0


def test_groups_never_share_a_batch_and_none_starves():
    batches = queue(max_batch_size=2, batch_wait_timeout_s=0)
    for item in range(6):
        batches.add(item, item, "a" if item < 4 else "b", 0.0)

    taken = []
    while (batch := batches.take(0.0)) is not None:
        taken.append(batch)
        batches.end(len(batch), 0.0, 0.0)
    assert taken == [[0, 1], [4, 5], [2, 3]]


def test_sizes_of_items_count_and_order_is_kept():
    batches = queue(max_batch_size=10, batch_size_fn=sum, batch_wait_timeout_s=0)
    for item in (4, 5, 6, 1):
        batches.add(item, item, None, 0.0)

    assert batches.take(0.0) == [4, 5]
    batches.end(2, 0.0, 0.0)
    assert batches.take(0.0) == [6, 1]


def test_an_item_larger_than_a_batch_is_refused():
    assert not queue(max_batch_size=3, batch_size_fn=sum).add(4, 4, None, 0.0)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"max_batch_size": 0}, ValueError, "max_batch_size must be at least 1; got 0"),
        ({"max_batch_size": 1.5}, TypeError, "whole number; got 1.5"),
        ({"batch_wait_timeout_s": -1}, ValueError, "batch_wait_timeout_s must be 0"),
        ({"batch_wait_timeout_s": "soon"}, ValueError, "got 'soon'"),
        ({"max_concurrent_batches": 0}, ValueError, "at least 1"),
        ({"latency_target_s": 1.0}, ValueError, 'needs batch_wait_timeout_s="auto"'),
        ({"batch_size_fn": 3}, TypeError, "must be callable; got 3"),
    ],
)
def test_options_that_cannot_be_are_refused_with_their_value(options, error, says):
    with pytest.raises(error, match=says):
        BatchOptions(**options)


@given(
    sizes=st.lists(st.integers(1, 7), max_size=60),
    limit=st.integers(7, 20),
    drops=st.sets(st.integers(0, 59)),
)
def test_every_item_is_run_once_in_order_and_no_batch_is_too_large(sizes, limit, drops):
    options: dict[str, Any] = {"batch_size_fn": sum, "batch_wait_timeout_s": 0}
    batches: BatchQueue[tuple[int, int]] = BatchQueue(
        BatchOptions(max_batch_size=limit, **options)
    )
    items = list(enumerate(sizes))
    for item in items:
        batches.add(item, item[1], None, 0.0)
    for item in items:
        if item[0] in drops:
            batches.remove(item)

    run = []
    while (batch := batches.take(0.0)) is not None:
        assert sum(size for _, size in batch) <= limit
        run += batch
        batches.end(len(batch), 0.0, 0.0)
    assert run == [item for item in items if item[0] not in drops]


def test_the_curve_of_a_function_is_learnt():
    wait = AdaptiveWait(None)
    for size in (1, 4, 16, 8, 2, 32):
        wait.on_batch(size, 0.010 + 0.001 * size, now=0.0, waiting=0)

    base, slope = wait.curve()
    assert base == pytest.approx(0.010)
    assert slope == pytest.approx(0.001)


def test_a_burst_is_waited_for_and_its_end_noticed():
    wait = AdaptiveWait(None)
    for size in (1, 4, 16):
        wait.on_batch(size, 0.010, now=0.0, waiting=0)
    for step in range(20):
        wait.on_arrival(step * 0.0001)

    assert wait.until(5, 0.0, 1.0) == pytest.approx(1.0008)  # 8 usual gaps
    assert wait.until(50, 0.0, 1.0) == pytest.approx(1.0002)  # a share of the base


def test_under_light_load_nothing_is_waited_for():
    wait = AdaptiveWait(None)
    for size in (1, 1, 1):
        wait.on_batch(size, 0.010, now=0.0, waiting=0)
    for step in range(30):
        wait.on_arrival(step * 0.5)

    assert wait.until(1, 100.0, 100.0) == 100.0


def test_batches_stay_small_enough_for_the_latency_target():
    wait = AdaptiveWait(latency_target_s=0.050)
    for size in (1, 4, 16, 32):
        wait.on_batch(size, 0.010 + 0.001 * size, now=0.0, waiting=0)

    assert wait.limit(100, age_s=0.0) == 40
    assert wait.limit(100, age_s=0.020) == 20
    assert wait.limit(10, age_s=0.0) == 10
    assert wait.limit(100, age_s=9.0) == 40  # late in any case: not smaller still
