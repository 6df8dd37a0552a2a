"""Spans, by the real SDK."""

import subprocess
import sys

import pytest

from workbench import trace
from workbench.observe.spans import Spans, get_trace_context

pytest.importorskip("opentelemetry.sdk")

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def spans(tracer_provider):
    return Spans(tracer_provider)


def test_a_span_is_a_step_of_the_callers_trace(spans, span_exporter):
    span = spans.begin("GET /", (PARENT, "a=1"), {"serve.request_id": "r"})
    told, state = spans.trace_of(span)
    spans.end(span, {"http.response.status_code": 500}, has_failed=True)

    [found] = span_exporter.get_finished_spans()
    assert f"{found.context.trace_id:032x}" == trace.trace_id_of(PARENT)
    assert f"{found.parent.span_id:016x}" == trace.span_id_of(PARENT)
    assert trace.span_id_of(told) == f"{found.context.span_id:016x}"
    assert state == "a=1"
    assert found.attributes["serve.request_id"] == "r"
    assert not found.status.is_ok


def test_without_a_trace_one_begins(spans, span_exporter):
    spans.end(spans.begin("GET /", ("", ""), {}), {}, has_failed=False)

    [found] = span_exporter.get_finished_spans()
    assert found.parent is None


def test_what_the_client_does_not_record_is_not_exported(spans, span_exporter):
    span = spans.begin("GET /", (PARENT[:-1] + "0", ""), {})
    spans.end(span, {}, has_failed=False)

    assert not span_exporter.get_finished_spans()
    assert trace.trace_id_of(spans.trace_of(span)[0]) == trace.trace_id_of(PARENT)


def test_outside_of_any_span_there_is_no_context():
    assert get_trace_context() is None


def test_nothing_is_imported_where_nobody_asks_for_spans():
    code = (
        "import sys\n"
        "import workbench.serve, workbench.proxy.process, workbench.replica.process\n"
        "assert workbench.serve.get_trace_context() is None\n"
        "assert not [each for each in sys.modules if 'opentelemetry' in each]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
