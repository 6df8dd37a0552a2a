"""How much of what user code says is kept until it is told."""

import pytest

from workbench.replica.backlog import Backlog, cut
from workbench.wire.messages import Line


def line(text="x", *, at_s=0.0, level="INFO"):
    return Line(at_s, level, "stdout", "", text)


def texts(lines):
    return [each.text for each in lines]


def test_what_is_taken_is_gone():
    backlog = Backlog()
    backlog.add(line("a"))
    backlog.add(line("b"))

    lines, dropped = backlog.take()

    assert (texts(lines), dropped) == (["a", "b"], 0)
    assert backlog.take() == ([], 0)


def test_what_could_not_be_told_comes_before_what_was_said_since():
    backlog = Backlog()
    backlog.add(line("a"))
    lines, _ = backlog.take()
    backlog.add(line("b"))

    backlog.put_back(lines, 3)

    lines, dropped = backlog.take()
    assert (texts(lines), dropped) == (["a", "b"], 3)


def test_a_second_has_room_for_so_many_lines_and_the_next_one_again():
    backlog = Backlog()
    kept = [backlog.add(line(at_s=7.0 + n / 1000)) for n in range(600)]

    assert (sum(kept), backlog.add(line(at_s=8.0))) == (500, True)
    lines, dropped = backlog.take()
    assert (len(lines), dropped) == (501, 100)


def test_a_chatty_loop_does_not_hide_why_a_request_failed():
    backlog = Backlog()
    for _ in range(600):
        backlog.add(line())

    assert backlog.add(line("Traceback", level="ERROR"))


def test_long_texts_use_a_second_up_too():
    backlog = Backlog()
    kept = [backlog.add(line("x" * 16_000)) for _ in range(100)]

    assert sum(kept) == 15


@pytest.mark.parametrize("text", ["x", "x" * 1000])
def test_while_nobody_listens_the_oldest_make_room(text):
    backlog = Backlog()
    for n in range(5_000):
        backlog.add(line(f"{n} {text}", at_s=float(n)))

    lines, dropped = backlog.take()

    assert len(lines) <= 2_000
    assert sum(len(each.text) for each in lines) <= 1_000_000
    assert lines[-1].text.startswith("4999 ")
    assert len(lines) + dropped == 5_000


def test_a_long_text_loses_its_middle_and_says_so():
    assert cut("short") == "short"
    assert cut("a" * 50 + "b" * 50, limit=20) == (
        f"{'a' * 10}\n… 80 characters are left out …\n{'b' * 10}"
    )
