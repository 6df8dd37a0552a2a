"""The books of shared segments: nobody's value is ever written over, within limits."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from workbench.wire.segments import IDLE_S, Segments

KB, MB = 1024, 1024 * 1024


def books(max_bytes=8 * MB, max_count=4):
    return Segments(max_bytes=max_bytes, max_count=max_count)


def taken_and_dropped(segments, size, now_s=0.0):
    number = segments.take(size).number
    segments.drop(number, now_s)
    return number


def test_an_idle_segment_is_used_again():
    segments = books()
    first = segments.take(MB)
    segments.drop(first.number, 0.0)
    again = segments.take(MB - 1000)

    assert (first.is_new, again.is_new) == (True, False)
    assert again.number == first.number
    assert again.capacity == MB


def test_what_somebody_holds_is_not():
    segments = books()
    first = segments.take(MB)
    segments.hold(first.number)
    segments.drop(first.number, 0.0)

    assert segments.take(MB).number != first.number


def test_a_much_larger_segment_is_left_for_larger_values_while_there_is_room():
    segments = books(max_bytes=6 * MB + 512 * KB)
    large = taken_and_dropped(segments, 4 * MB)
    small = segments.take(100 * KB)
    segments.take(2 * MB)  # close enough: the large one
    last = segments.take(2 * MB)

    assert small.number != large
    assert last.is_new
    assert segments.take(MB) is None


def test_idle_segments_that_are_too_small_make_room():
    segments = books()
    small = [segments.take(100 * KB).number for _ in range(4)]
    for now_s, number in enumerate(small):
        segments.drop(number, now_s)
    large = segments.take(MB)

    assert large.is_new
    assert [number in segments for number in small] == [False, True, True, True]


def test_a_spoilt_segment_is_off_the_books_once_all_let_go():
    segments = books()
    number = segments.take(MB).number
    segments.hold(number)
    segments.spoil(number, 0.0)

    assert number in segments
    segments.drop(number, 0.0)
    assert number not in segments
    assert segments.take(MB).number != number


def test_what_was_idle_for_long_is_given_back():
    segments = books()
    old = taken_and_dropped(segments, MB, now_s=0.0)
    held = segments.take(4 * MB).number
    segments.trim(IDLE_S - 1)
    assert old in segments
    segments.trim(IDLE_S)

    assert old not in segments
    assert held in segments


class AnyUse(RuleBasedStateMachine):
    """Takes, loans, returns and losses in any order, beside a simple model."""

    def __init__(self):
        super().__init__()
        self.segments = books(max_bytes=4 * MB, max_count=5)
        self.holders: dict[int, int] = {}
        self.spoilt: set[int] = set()
        self.now_s = 0.0

    @rule(size=st.integers(1, 5 * MB))
    def take(self, size):
        taken = self.segments.take(size)
        if taken is None:
            return
        assert taken.capacity >= size
        assert not self.holders.get(taken.number), "somebody's value was written over"
        assert taken.number not in self.spoilt
        assert taken.is_new is (taken.number not in self.holders)
        self.holders[taken.number] = 1

    @rule(data=st.data())
    def hold(self, data):
        if held := self._held():
            number = data.draw(st.sampled_from(held))
            self.segments.hold(number)
            self.holders[number] += 1

    @rule(data=st.data(), is_lost=st.booleans())
    def let_go(self, data, is_lost):
        if not (held := self._held()):
            return
        number = data.draw(st.sampled_from(held))
        self.holders[number] -= 1
        if is_lost:
            self.spoilt.add(number)
            self.segments.spoil(number, self.now_s)
        else:
            self.segments.drop(number, self.now_s)

    @rule(passed_s=st.floats(0, 2 * IDLE_S))
    def trim(self, passed_s):
        self.now_s += passed_s
        self.segments.trim(self.now_s)

    @invariant()
    def what_is_held_stays(self):
        assert all(number in self.segments for number in self._held())

    @invariant()
    def limits_hold(self):
        assert len(self.segments) <= 5
        assert self.segments.size_bytes <= 4 * MB

    def _held(self):
        return sorted(number for number, count in self.holders.items() if count)


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(max_examples=60, stateful_step_count=40)
