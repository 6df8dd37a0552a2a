"""`logging_config`, as users give it."""

import logging

import pytest

from workbench.spec.logging_config import LoggingSpec, parse_logging


def test_a_dict_is_as_good_as_the_object():
    given = {
        "encoding": "JSON",
        "log_level": "DEBUG",
        "additional_log_standard_attrs": ["name"],
    }
    assert parse_logging(given) == LoggingSpec(
        encoding="JSON", log_level="DEBUG", additional_log_standard_attrs=("name",)
    )


def test_a_level_may_be_a_number():
    assert LoggingSpec(log_level=logging.WARNING).log_level == "WARNING"  # type: ignore[arg-type]


def test_nothing_is_left_to_others():
    assert parse_logging(None) is None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"encoding": "XML"}, "XML"),
        ({"log_level": "LOUD"}, "LOUD"),
        ({"log_level": 11}, "11"),
        ({"additional_log_standard_attrs": ["thread_nam"]}, "thread_nam"),
        ({"leveling": "INFO"}, "leveling"),
    ],
)
def test_what_cannot_be_is_named(given, named):
    with pytest.raises(ValueError, match=named):
        parse_logging(given)


def test_what_is_no_config_is_refused():
    with pytest.raises(TypeError, match="JSON"):
        parse_logging("JSON")
