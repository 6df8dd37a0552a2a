"""How the answer to `%serve query` is drawn."""

import json

import pytest

from tests.unit.notebook.fake_backend import Answer
from workbench.notebook.answer_view import answer_view


def body(text: str, type_: str = "application/json") -> str:
    """What is shown below the status line."""
    view = answer_view(Answer(text=text, headers={"content-type": type_}))
    return view.text.partition("\n")[2]


def test_short_json_is_one_line():
    assert body('{ "digit":8,\n"sure":true }') == '{"digit": 8, "sure": true}'


@pytest.mark.parametrize(
    "value",
    [
        {"numbers": list(range(60)), "nested": {"a": ["é" * 50, {"b": "c" * 50}]}},
        [list(range(30)), list(range(30)), []],
        {"text": "x" * 200},
    ],
)
def test_long_json_is_laid_out_and_stays_the_same_json(value):
    shown = body(json.dumps(value))

    assert json.loads(shown) == value
    assert 1 < shown.count("\n") < 15


def test_numbers_share_lines():
    shown = body(json.dumps({"numbers": list(range(60))}))

    assert shown.count("\n") == 6
    assert max(map(len, shown.splitlines())) <= 88


def test_a_long_answer_is_cut_and_says_by_how_much():
    shown = body("\n".join(map(str, range(100))), "text/plain")

    assert shown.endswith("39\n… 60 more lines")


def test_json_that_is_none_is_shown_as_it_came():
    assert body("{oops") == "{oops"


def test_bytes_are_counted():
    assert body("\x00\x01", "image/png") == "(2 bytes of image/png)"
