"""What a panel shows where there are no widgets."""

import sys
from types import SimpleNamespace

from tests.unit.notebook.fake_source import FakeInstance, sample, status_event
from workbench.errors import NoInstanceError
from workbench.notebook import panel as panel_module
from workbench.notebook.feed import Feed, Known
from workbench.notebook.panel import Panel
from workbench.notebook.panel_view import panel_view


def panel_of(instance):
    return Panel("default", backend=instance, feed=Feed(instance))


def test_a_terminal_gets_a_table_of_now():
    instance = FakeInstance()
    instance.begin("default")

    text = panel_of(instance)._repr_mimebundle_()["text/plain"]

    assert "requests/s" in text
    assert "10.0" in text
    assert "1 of 1" in text
    assert instance.closed.is_set()


def test_where_nothing_runs_it_says_what_to_do():
    instance = FakeInstance()
    instance.put(NoInstanceError("No instance is running."))

    bundle = panel_of(instance)._repr_mimebundle_()

    assert set(bundle) == {"text/plain", "text/html"}
    assert "No instance is running." in bundle["text/plain"]
    assert "<code>%%serve</code>" in bundle["text/html"]


def test_names_are_text_never_html():
    name = "<img src=x>"
    known = Known(status=status_event(name).status, samples=(sample(1, name),))

    assert "<img" not in panel_view(name, known, "").html


def test_an_unknown_name_lists_what_is_served():
    known = Known(status=status_event("ocr").status, samples=(sample(1, "ocr"),))

    view = panel_view("default", known, "")

    assert view.line == "default: not served. Served are `ocr`."


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "workbench.notebook.panel_widget", None)
    kernel = SimpleNamespace(kernel=object())
    monkeypatch.setattr(panel_module, "get_ipython", lambda: kernel)
    instance = FakeInstance()
    instance.begin("default")

    bundle = panel_of(instance)._repr_mimebundle_()

    assert "%pip install anywidget" in bundle["text/plain"]
    assert "1 of 1" in bundle["text/plain"]
