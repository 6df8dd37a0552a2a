"""What `tracing_config` may say."""

import pytest

from workbench.spec.tracing import TracingConfig, parse_tracing


@pytest.mark.parametrize(
    "given", [None, {}, TracingConfig(), {"enabled": False, "sampling_ratio": 1.0}]
)
def test_nothing_is_traced_unless_it_is_enabled(given):
    assert parse_tracing(given) is None


def test_a_dict_is_a_config():
    found = parse_tracing({"enabled": True, "exporter_import_path": "a:b"})

    assert found == TracingConfig(enabled=True, exporter_import_path="a:b")
    assert found.sampling_ratio == 0.01


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"ratio": 1}, "has no 'ratio'; it has"),
        ({"sampling_ratio": 1.5}, "between 0 and 1; got 1.5"),
        ({"sampling_ratio": "all"}, "between 0 and 1; got 'all'"),
        ("on", "a TracingConfig or a dict; got 'on'"),
    ],
)
def test_what_cannot_be_is_refused(given, text):
    with pytest.raises((TypeError, ValueError), match=text):
        parse_tracing(given)
