"""The function that exports spans, from its import path to a process that calls it."""

import sys

import pytest

from workbench.code import exporter
from workbench.code.exporter import load_processors, pack_exporter
from workbench.errors import StartError
from workbench.spec.tracing import TracingConfig, TracingSpec

MODULE = """
from pathlib import Path

def processors():
    return [Path("one"), "two"]

def none():
    return "no list"

def broken():
    raise OSError("no collector")
"""


@pytest.fixture
def pack(tmp_path, monkeypatch):
    pytest.importorskip("opentelemetry.sdk")
    (tmp_path / "exporting.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def pack(path):
        config = TracingConfig(enabled=True, exporter_import_path=path)
        return pack_exporter(config, tmp_path)

    yield pack
    sys.modules.pop("exporting", None)


def test_a_function_is_named_by_its_path_and_called_where_spans_are(pack):
    path, word = load_processors(pack("exporting:processors"), "replica")

    assert (str(path), word) == ("one", "two")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("exporting:nothing", "exporting has no function 'nothing'"),
        ("exporting", "'module:function'; got 'exporting'"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_before_anything_starts(pack, path, text):
    with pytest.raises(ValueError, match=text):
        pack(path)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("exporting:none", "returned 'no list', no list"),
        ("exporting:broken", "failed: OSError: no collector"),
    ],
)
def test_what_fails_where_spans_are_says_why(pack, path, text):
    with pytest.raises(StartError, match=text):
        load_processors(pack(path), "replica")


def test_without_the_sdk_the_advice_is_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(exporter, "_SDK", "no_opentelemetry.sdk.trace")

    with pytest.raises(StartError) as caught:
        pack_exporter(TracingConfig(enabled=True), tmp_path)

    assert "pip install 'serve-workbench[otel]'" in caught.value.hint


def test_without_a_function_spans_go_to_a_file(tmp_path):
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    spec = TracingSpec(exporter="", sampling_ratio=1.0, directory=str(tmp_path / "s"))

    provider = trace.TracerProvider()
    provider.add_span_processor(*load_processors(spec, "proxy_1"))
    provider.get_tracer("test").start_span("one").end()
    provider.shutdown()

    (line,) = (tmp_path / "s" / "proxy_1.jsonl").read_text().splitlines()
    assert '"name": "one"' in line
