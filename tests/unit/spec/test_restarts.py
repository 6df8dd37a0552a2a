"""What keeps ending is started again, later each time, and given up in the end."""

from workbench.spec.restarts import Restarts


def pauses(ends_at):
    restarts, found = Restarts(), []
    for now in ends_at:
        pause = restarts.pause_s(now)
        found.append(pause)
        if pause is not None:
            restarts = restarts.add(now)
    return found


def test_the_first_comes_at_once_and_the_next_ones_later():
    assert pauses([0, 1, 3, 6, 12]) == [0, 1, 2, 4, 8]


def test_five_within_minutes_are_enough():
    assert pauses([0, 1, 3, 6, 12, 25])[-1] is None


def test_what_ends_now_and_then_is_always_started_again():
    assert pauses(range(0, 10_000, 400)) == [0] * 25
