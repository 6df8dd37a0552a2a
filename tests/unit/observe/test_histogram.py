"""Percentiles stay within 1 %, whatever was merged on the way."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.observe.histogram import RELATIVE_ERROR, Histogram

durations = st.lists(
    st.integers(1, 10**15) | st.floats(1, 1e15), min_size=1, max_size=200
)
ranks = st.floats(0, 1)

# Logarithms are rounded, too.
BOUND = RELATIVE_ERROR + 1e-9


def true_percentile(values, rank):
    return sorted(values)[int(rank * (len(values) - 1))]


@given(durations, ranks)
def test_a_percentile_is_within_one_percent_of_the_true_one(values, rank):
    found = Histogram(values).percentiles(rank)

    assert found == pytest.approx([true_percentile(values, rank)], rel=BOUND)


@given(st.lists(durations, max_size=5))
def test_merging_is_the_same_as_counting_all(parts):
    merged = Histogram()
    for part in parts:
        merged.merge(Histogram(part).buckets)

    whole = Histogram([value for part in parts for value in part])

    assert (merged.buckets, merged.count) == (whole.buckets, whole.count)


@given(durations, durations)
def test_what_was_merged_can_be_taken_off_again(kept, gone):
    histogram = Histogram(kept + gone)

    histogram.take_off(Histogram(gone).buckets)

    only_kept = Histogram(kept)
    assert (histogram.buckets, histogram.count) == (only_kept.buckets, len(kept))


@given(durations, ranks, ranks)
def test_several_percentiles_at_once_are_those_one_by_one(values, one, other):
    low, high = sorted((one, other))
    histogram = Histogram(values)

    both = histogram.percentiles(low, high)

    assert both == histogram.percentiles(low) + histogram.percentiles(high)


def test_an_empty_histogram_has_no_percentiles():
    assert Histogram().percentiles(0.5, 0.99) == []


def test_no_time_at_all_counts_as_the_least():
    assert Histogram([0, -5, 0.3]).buckets == {0: 3}


def test_many_long_tailed_durations_take_few_buckets():
    random.seed(1)
    values = [random.lognormvariate(15, 1) for _ in range(100_000)]
    histogram = Histogram(values)

    assert len(histogram.buckets) < 600
    for rank in (0.5, 0.95, 0.99, 0.999):
        true = true_percentile(values, rank)
        assert histogram.percentiles(rank) == pytest.approx([true], rel=BOUND)
