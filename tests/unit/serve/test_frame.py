"""What was measured as a DataFrame."""

import sys

import pytest

from tests.unit.notebook.fake_source import FakeInstance, sample
from workbench import api, serve
from workbench.errors import DeploymentUnavailableError, WorkbenchError
from workbench.serve.frame import frame_of


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas")


@pytest.fixture
def instance(monkeypatch):
    made = FakeInstance()
    monkeypatch.setattr(api, "events", made.events)
    return made


@pytest.mark.usefixtures("pandas")
def test_a_row_is_a_moment(instance):
    instance.begin("default", samples=3)

    frame = serve.metrics_frame()

    assert list(frame["p99_ms"]) == [3.0] * 3
    assert list(frame["Doubler.ongoing"]) == [2] * 3
    assert frame["p95_ms"].isna().all()
    assert instance.closed.is_set()


@pytest.mark.usefixtures("pandas")
def test_it_is_indexed_by_time_in_utc(instance):
    instance.begin("default", samples=2)

    index = serve.metrics_frame().index

    assert index.name == "time"
    assert str(index[1]) == "1970-01-01 00:01:40.500000+00:00"


@pytest.mark.usefixtures("pandas")
def test_columns_are_those_that_its_docs_name():
    frame = frame_of("a", [sample(1, "a", "b")])

    own = ["requests_per_s", "errors_per_s", "p50_ms", "p95_ms", "p99_ms"]
    more = ["ongoing", "queued", "replicas", "target"]
    assert list(frame.columns) == [*own, *(f"Doubler.{name}" for name in [*own, *more])]
    assert all(name in str(serve.metrics_frame.__doc__) for name in [*own, *more])


@pytest.mark.usefixtures("pandas")
def test_times_before_it_was_deployed_have_no_row():
    frame = frame_of("a", [sample(1), sample(2, "a")])

    assert len(frame) == 1


@pytest.mark.usefixtures("pandas")
def test_an_unknown_application_is_an_error(instance):
    instance.begin("default")

    with pytest.raises(DeploymentUnavailableError, match="'ocr'"):
        serve.metrics_frame("ocr")


def test_without_pandas_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(WorkbenchError, match="pip install pandas"):
        frame_of("a", [])
