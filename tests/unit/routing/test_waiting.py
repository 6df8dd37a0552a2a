"""Whose turn it is among the calls that wait."""

from hypothesis import given
from hypothesis import strategies as st

from workbench.request import Extras
from workbench.routing.waiting import Waiting


def let_all_in(waiting: Waiting[str]) -> list[str]:
    order = []
    while waiting:
        call_id, call, _ = next(waiting.heads())
        waiting.let_in(call_id)
        order.append(call)
    return order


def test_equals_go_in_order_of_arrival():
    waiting: Waiting[str] = Waiting()
    for n in range(1, 4):
        waiting.add(n, str(n), None)

    assert let_all_in(waiting) == ["1", "2", "3"]


def test_the_more_urgent_go_first():
    waiting: Waiting[str] = Waiting()
    for n, priority in enumerate([0, 2, -1, 2, 1]):
        waiting.add(n, f"{priority}/{n}", Extras(priority=priority))

    assert let_all_in(waiting) == ["2/1", "2/3", "1/4", "0/0", "-1/2"]


def test_of_eight_let_in_one_is_the_one_that_waits_longest():
    waiting: Waiting[str] = Waiting()
    waiting.add(0, "low", Extras(priority=-9))
    for n in range(1, 30):
        waiting.add(n, "high", Extras(priority=9))

    assert let_all_in(waiting).index("low") == 7


def test_who_comes_back_goes_before_those_that_came_later():
    waiting: Waiting[str] = Waiting()
    for n in (2, 5):
        waiting.add(n, str(n), None)
    waiting.add(4, "4", None, is_back=True)
    waiting.add(1, "1", None, is_back=True)
    waiting.add(3, "3", None, is_back=True)

    assert let_all_in(waiting) == ["1", "2", "3", "4", "5"]


def test_groups_wait_apart():
    waiting: Waiting[str] = Waiting()
    waiting.add(1, "a1", Extras(model_id="a"))
    waiting.add(2, "a2", Extras(model_id="a"))
    waiting.add(3, "b3", Extras(model_id="b"))

    assert [call for _, call, _ in waiting.heads()] == ["a1", "b3"]


@given(
    st.lists(
        st.tuples(st.integers(-9, 9), st.sampled_from(["", "m"]), st.booleans()),
        max_size=50,
    )
)
def test_everybody_is_let_in_once_unless_withdrawn(calls):
    waiting: Waiting[int] = Waiting()
    stays = []
    for n, (priority, model, leaves) in enumerate(calls):
        waiting.add(n, n, Extras(priority=priority, model_id=model))
        if leaves:
            waiting.remove(n)
        else:
            stays.append(n)

    order = []
    while waiting:
        call_id, call, _ = next(waiting.heads())
        waiting.let_in(call_id)
        order.append(call)
    assert sorted(order) == stays
    assert waiting.drop_all() == []
