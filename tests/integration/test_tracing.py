"""Instances that export spans: one trace from the client's proxy to the last replica."""

import json
import subprocess
import sys

import pytest

from workbench import api, serve

pytest.importorskip("opentelemetry.sdk")
pytestmark = pytest.mark.timeout(180)

EXPORTER = """
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter


def processors():
    # Later than this test lasts: what it finds left when the instance was told to end.
    file = open({path!r}, "a")
    line = lambda span: span.to_json(indent=None) + chr(10)
    exporter = ConsoleSpanExporter(out=file, formatter=line)
    return [BatchSpanProcessor(exporter, schedule_delay_millis=600_000)]
"""
SCRIPT = """
import pathlib
import threading
import time

import httpx
from opentelemetry import trace
from workbench import api, serve


@serve.deployment
class Inner:
    def __call__(self):
        return "inner"


@serve.deployment
class Outer:
    def __init__(self, inner):
        self.inner = inner

    async def __call__(self, request):
        tracer = trace.get_tracer("user")
        with tracer.start_as_current_span("own", context=serve.get_trace_context()):
            return await self.inner.remote()


def written(count):
    [note] = [n for n in api.status().instance.notes if n.startswith("Spans are")]
    directory = pathlib.Path(note.split()[4].rstrip(","))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = [line for f in directory.glob("*.jsonl") for line in f.read_text().splitlines()]
        if len(lines) == count:
            return lines
        threading.Event().wait(0.05)
    raise AssertionError(lines)


tracing = serve.TracingConfig(enabled=True, sampling_ratio=1.0, {exporter})
serve.start(tracing_config=tracing, http_options={{"port": 0}}, keep=False)
serve.run(Outer.bind(Inner.bind()))
with httpx.Client(trust_env=False, timeout=30) as client:
    answer = client.get(api.status().instance.http_url)
print(answer.text, answer.headers["traceparent"])
{look}
serve.shutdown()
"""


@pytest.fixture
def run_traced(tmp_path, monkeypatch):
    """Run the script on an instance of its own; gives what it printed, line by line."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))

    def run(exporter="", look=""):
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(exporter=exporter, look=look))
        command = [sys.executable, script]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def assert_one_trace(said, lines):
    text, traceparent = said.split()
    spans = [json.loads(line) for line in lines]
    found = {each["name"]: each for each in spans}
    assert text == "inner"
    assert len(spans) == 4, spans
    steps = [found[name] for name in ("GET /", "Outer", "own", "Inner")]
    ids = [each["context"]["span_id"] for each in steps]
    assert [each["parent_id"] for each in steps] == [None, *ids[:-1]]
    trace_id = "0x" + traceparent.split("-")[1]
    assert {each["context"]["trace_id"] for each in spans} == {trace_id}
    ours = [each for each in spans if each["name"] != "own"]
    assert len({each["attributes"]["serve.request_id"] for each in ours}) == 1


def test_without_an_exporter_spans_are_written_to_files_that_the_status_names(
    run_traced,
):
    said, *lines = run_traced(look="print(*written(4), sep=chr(10))")

    assert_one_trace(said, lines)


def test_an_exporter_of_ones_own_gets_all_before_the_instance_ends(
    run_traced, tmp_path
):
    path = tmp_path / "spans"
    (tmp_path / "exporting.py").write_text(EXPORTER.format(path=str(path)))

    [said] = run_traced('exporter_import_path="exporting:processors"')

    assert_one_trace(said, path.read_text().splitlines())


def test_an_instance_that_runs_already_says_that_it_does_not_trace(instance):
    asked = serve.TracingConfig(enabled=True)

    assert "no spans are exported" in api.start(tracing=asked).notes[-1]
    assert api.start().notes == instance.notes
