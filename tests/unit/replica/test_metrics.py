"""`serve.metrics`: what user code counts."""

import pytest

from workbench.replica import metrics
from workbench.replica.context import ReplicaContext, set_replica_context
from workbench.replica.metrics import Counter, Gauge, Histogram, metric_points
from workbench.request import RequestContext, current_request


@pytest.fixture(autouse=True)
def _no_others(monkeypatch):
    monkeypatch.setattr(metrics, "_metrics", {})


def points():
    return {(p.name, *p.tags.values()): p.numbers for p in metric_points()}


def test_a_counter_adds_up_by_tags():
    asked = Counter("asked", "How often.", tag_keys=("model",))
    asked.inc(tags={"model": "a"})
    asked.inc(2, tags={"model": "a"})
    asked.inc(tags={"model": "b"})

    assert points() == {("asked", "a"): [3], ("asked", "b"): [1]}


def test_a_gauge_is_what_it_was_set_to():
    size = Gauge("size")
    size.set(3)
    size.set(2.5)

    assert points() == {("size",): [2.5]}


def test_a_histogram_counts_between_its_boundaries():
    took = Histogram("took_ms", boundaries=(1, 10))
    for value in (0.5, 1, 5, 50, 60):
        took.observe(value)

    assert points() == {("took_ms",): [116.5, 2, 1, 2]}


def test_default_tags_and_the_route_fill_what_is_not_given():
    asked = Counter("asked", tag_keys=("model", "route"))
    asked.set_default_tags({"model": "a"})
    token = current_request.set(RequestContext(route="/app"))
    try:
        asked.inc()
        asked.inc(tags={"model": "b"})
    finally:
        current_request.reset(token)

    assert points() == {("asked", "a", "/app"): [1], ("asked", "b", "/app"): [1]}


def test_in_a_replica_each_value_says_where_it_comes_from():
    context = ReplicaContext(
        app_name="app", deployment="model", replica_tag="", replica_id="r1"
    )
    set_replica_context(context)
    Counter("asked").inc()

    [point] = metric_points()
    assert point.tags == {"application": "app", "deployment": "model", "replica": "r1"}


def test_a_metric_that_is_made_again_goes_on():
    Counter("asked").inc()
    Counter("asked").inc()

    assert points() == {("asked",): [2]}


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Counter("no name"), ValueError, "got 'no name'"),
        (lambda: Counter("a", tag_keys=list("x")), TypeError, "tuple of texts"),  # type: ignore[arg-type]
        (lambda: Counter("a", tag_keys=("replica",)), ValueError, "set by itself"),
        (lambda: Counter("a").inc(0), ValueError, "more than 0; got 0"),
        (lambda: Counter("a").inc(tags={"x": "1"}), ValueError, "no tag 'x'"),
        (lambda: Histogram("a"), ValueError, "must be given and rise"),
        (lambda: Histogram("a", boundaries=(2, 1)), ValueError, "must be given"),
    ],
)
def test_what_cannot_be_is_refused(make, error, says):
    with pytest.raises(error, match=says):
        make()
