"""Shares of numbers of replicas, and which way a capacity goes."""

import pytest

from workbench.spec.autoscaling import AutoscalingConfig
from workbench.spec.capacity import Bounds, bounds_at, is_growing, share_of


@pytest.mark.parametrize(
    ("number", "percent", "share"),
    [
        (7, None, 7),
        (7, 100, 7),
        (10, 50, 5),
        (3, 50, 2),  # half up, not half to even
        (5, 50, 3),
        (10, 1, 1),  # something runs while anything is to run
        (10, 0, 0),
        (0, 80, 0),
        (3, 33.3, 1),
    ],
)
def test_a_share_is_rounded_half_up_and_nothing_only_of_nothing(number, percent, share):
    assert share_of(number, percent) == share


@pytest.mark.parametrize(
    ("percent", "growing", "least", "most"),
    [
        (None, False, 2, 20),
        (None, True, 2, 20),
        (50, False, 1, 10),
        (50, True, 4, 10),
        (0, True, 0, 0),
    ],
)
def test_initial_replicas_are_the_least_only_on_the_way_up(
    percent, growing, least, most
):
    config = AutoscalingConfig(min_replicas=2, initial_replicas=8, max_replicas=20)

    found = bounds_at(config, percent, is_growing=growing)

    assert found == Bounds(least=least, most=most)


@pytest.mark.parametrize(
    ("steps", "growing"),
    [
        ([None], False),
        ([50], True),  # a new cluster takes over
        ([50, 50], True),
        ([50, 80, 100], True),
        ([50, None], False),
        ([None, 80], False),  # the old one hands over
        ([None, 80, 80], False),
        ([None, 80, 20, 30], True),
    ],
)
def test_the_direction_is_remembered(steps, growing):
    before, was_growing = None, False
    for nth, after in enumerate(steps):
        was_growing = is_growing(
            before, after, is_new=nth == 0, was_growing=was_growing
        )
        before = after

    assert was_growing is growing
