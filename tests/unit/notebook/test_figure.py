"""A panel's charts as a plotly figure."""

import sys

import pytest

from tests.unit.notebook.fake_source import FakeInstance, sample
from workbench.errors import WorkbenchError
from workbench.notebook.feed import Feed
from workbench.notebook.figure import figure_of
from workbench.notebook.panel import Panel

SAMPLES = [sample(1, "default", has_replicas=False), sample(2, "default", "other")]


@pytest.fixture
def plotly():
    return pytest.importorskip("plotly")


def lines(figure):
    """Values by chart and line."""
    return {(one.meta, one.name): list(one.y) for one in figure.data}


@pytest.mark.usefixtures("plotly")
def test_it_holds_the_panels_six_charts():
    found = lines(figure_of("default", SAMPLES))

    assert found["Latency", "p50"] == [1.0, 1.0]
    assert found["Latency", "p95"] == [None, None]
    assert found["Requests", "all"] == [10.0, 10.0]
    assert found["Calls", "ongoing"] == [2, 2]
    assert found["Replicas", "target"] == [1, 1]
    assert found["CPU by replica", "r-defaul"] == [None, 0.5]
    assert found["Memory by replica", "r-defaul"] == [None, 1.0]


@pytest.mark.usefixtures("plotly")
def test_every_axis_has_its_unit():
    figure = figure_of("default", SAMPLES)

    units = [axis.title.text for axis in figure.select_yaxes()]
    assert units == ["ms", "per second", "count", "count", "cores", "MiB"]
    assert [axis.title.text for axis in figure.select_xaxes(row=3)] == [
        "time (UTC)"
    ] * 2


@pytest.mark.usefixtures("plotly")
def test_a_panel_that_is_not_shown_asks_the_instance_once():
    instance = FakeInstance()
    instance.begin("default", samples=3)
    panel = Panel("default", backend=instance, feed=Feed(instance))

    found = lines(panel.figure())

    assert found["Requests", "all"] == [10.0] * 3
    assert instance.closed.is_set()


def test_without_plotly_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)

    with pytest.raises(WorkbenchError, match="pip install plotly"):
        figure_of("default", SAMPLES)
