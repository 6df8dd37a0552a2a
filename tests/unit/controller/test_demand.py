"""How many warm shells follow from the starts of late."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.controller.demand import MOST_SHELLS, ShellDemand, affordable_shells


def demand_after(starts, least=2, node="home"):
    demand = ShellDemand(least)
    for at in starts:
        demand.note(node, at)
    return demand


def test_at_rest_the_home_node_has_the_least():
    assert demand_after([]).wanted(0.0, home="home") == {"home": 2}


@pytest.mark.parametrize(
    ("starts", "wanted"),
    [
        ([10.0], 2),
        ([10.0, 10.1, 10.2, 10.3, 10.4], 5),
        ([10.0, 20.0, 30.0, 40.0, 50.0], 2),
        ([10.0, 13.0, 16.0, 19.0, 60.0], 4),
        ([10.0, 10.1, 10.2, 60.0, 60.1], 3),
        ([10.0] * 50, MOST_SHELLS),
    ],
)
def test_the_largest_step_of_late_decides(starts, wanted):
    assert demand_after(starts).wanted(100.0, home="home") == {"home": wanted}


def test_a_step_of_long_ago_is_forgotten():
    assert demand_after([10.0] * 5).wanted(700.0, home="home") == {"home": 2}


def test_nodes_where_replicas_start_have_shells_too():
    demand = demand_after([10.0, 10.0], node="other")

    assert demand.wanted(11.0, home="home") == {"home": 2, "other": 2}
    demand.forget("other")
    assert demand.wanted(12.0, home="home") == {"home": 2}


def test_a_pool_that_is_off_stays_empty():
    assert demand_after([10.0] * 5, least=0).wanted(11.0, home="home") == {}


def test_shells_take_a_quarter_of_the_free_memory_at_most():
    assert affordable_shells(2, 1024 * 2**20) == 6
    assert affordable_shells(2, 0) == 2
    assert affordable_shells(2, None) == MOST_SHELLS


@given(st.lists(st.floats(0, 2000)), st.integers(0, 4))
def test_never_below_the_least_nor_above_the_most(starts, least):
    demand = demand_after(sorted(starts), least)
    wanted = demand.wanted(2000.0, home="home").get("home", 0)

    assert least <= wanted <= MOST_SHELLS
    assert least or not wanted
