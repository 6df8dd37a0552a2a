"""Lines are told as they are printed, and written as if nobody listened."""

import contextlib
import io
import threading

import pytest

from workbench.replica.output import HeardStream, Mute
from workbench.request import RequestContext, current_request


class Ear:
    """A stream that is heard, and what was heard of it."""

    def __init__(self):
        self.written = io.StringIO()
        self.heard: list[tuple[str, str]] = []
        self.mute = Mute()
        self.stream = HeardStream(
            self.written,
            lambda text, request: self.heard.append((text, request)),
            self.mute,
        )

    def print(self, *values, request_id="", **options):
        with in_request(request_id):
            print(*values, file=self.stream, **options)

    @property
    def texts(self):
        return [text for text, _ in self.heard]


@contextlib.contextmanager
def in_request(request_id):
    token = current_request.set(RequestContext(request_id))
    try:
        yield
    finally:
        current_request.reset(token)


@pytest.fixture
def ear():
    return Ear()


def test_a_print_is_one_line_with_the_request_that_wrote_it(ear):
    ear.print("a", 1, request_id="r1")
    ear.print("b")

    assert ear.heard == [("a 1", "r1"), ("b", "")]
    assert ear.written.getvalue() == "a 1\nb\n"


def test_a_line_is_told_when_it_is_complete(ear):
    ear.print("half", end="")
    assert not ear.heard

    ear.print(" and half")

    assert ear.texts == ["half and half"]


def test_several_lines_printed_at_once_stay_together(ear):
    ear.print("a\nb\n")
    ear.stream.write("c\nd")

    assert ear.texts == ["a\nb", "c"]


def test_lines_of_two_tasks_in_one_thread_are_not_mixed(ear):
    ear.print("begun", end="", request_id="r1")
    ear.print("other", request_id="r2")

    assert ear.heard == [("begun", "r1"), ("other", "r2")]


def test_lines_of_two_threads_are_not_mixed(ear):
    ear.print("here ", end="")
    thread = threading.Thread(target=ear.print, args=("there",))
    thread.start()
    thread.join()
    ear.print("again")

    assert ear.texts == ["there", "here again"]


def test_what_nobody_goes_on_with_is_told_in_the_end(ear):
    ear.print("waiting...", end="")

    assert ear.stream.tell_begun(1000)
    assert not ear.heard
    assert not ear.stream.tell_begun(0)
    assert ear.texts == ["waiting..."]


def test_of_a_progress_bar_the_last_state_is_told(ear):
    for percent in (10, 50, 100):
        ear.stream.write(f"\r{percent} %")
    ear.stream.write("\n")

    assert ear.texts == ["100 %"]


def test_empty_lines_are_not_told(ear):
    ear.print()
    ear.print("  ")

    assert not ear.heard


def test_a_line_without_an_end_is_passed_on_in_parts(ear):
    for _ in range(40):
        ear.stream.write("x" * 1000)

    assert [len(each) for each in ear.texts] == [17_000, 17_000]


def test_nothing_is_heard_while_muted(ear):
    ear.mute.is_on = True
    ear.print("written by a handler")

    assert not ear.heard
    assert ear.written.getvalue() == "written by a handler\n"


def test_an_ear_that_fails_breaks_no_print():
    def deaf(text, request):
        raise RuntimeError("no")

    written = io.StringIO()
    print("a", file=HeardStream(written, deaf, Mute()))

    assert written.getvalue() == "a\n"


def test_all_else_is_as_the_stream_has_it(tmp_path):
    with (tmp_path / "out").open("w", encoding="latin-1") as file:
        stream = HeardStream(file, lambda *_: None, Mute())

        assert (stream.encoding, stream.errors) == ("latin-1", "strict")
        assert (stream.fileno(), stream.isatty()) == (file.fileno(), False)
        assert stream.buffer is file.buffer
        stream.close()
        assert not file.closed
        del stream
        assert not file.closed
