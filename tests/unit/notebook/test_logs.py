"""`%serve logs`: what replicas said, in one bounded place."""

import threading

import pytest

from tests.unit.notebook.fake_backend import INSTANCE, FakeBackend, running, said
from tests.unit.notebook.test_card import HOSTILE, tags
from workbench.notebook.display import View
from workbench.notebook.logs import LogStream, LogTail, follow
from workbench.notebook.logs_view import logs_view
from workbench.spec.logs import LogPage, LogQuery


@pytest.fixture
def served(notebook):
    notebook.backend.instance = INSTANCE
    notebook.backend.applications = {"default": running("Model")}
    return notebook


class FakeScreen:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.views: list[View] = []

    def update(self, view: View, *, is_last: bool) -> None:
        self.views.append(view)


class Chatty(FakeBackend):
    """Says one more record at each question, until the reader interrupts."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def logs(self, query: LogQuery) -> LogPage:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        self.said.append(said(f"line {len(self.said)}", len(self.said) + 1))
        return super().logs(query)


def test_every_filter_reaches_the_instance(served):
    served.run(
        "%serve logs default --deployment Model --replica r1 --request-id q "
        "--level warning --contains 'two words' --lines 7"
    )

    assert served.backend.asked_logs == [
        LogQuery(
            app="default",
            deployment="Model",
            replica="r1",
            request_id="q",
            level="WARNING",
            contains="two words",
            limit=7,
        )
    ]


def test_what_was_said_is_shown_as_text_and_html(served):
    served.backend.said = [said("made\n"), said("oh", 2, "ERROR")]

    (output,) = served.run("%serve logs").output.outputs

    text = output.data["text/plain"]
    assert "Logs · 2 records" in text
    assert "INFO     Model r1  made\n" in text
    assert "ERROR    Model r1  oh" in text
    assert '<td class="wb-bad">ERROR</td>' in output.data["text/html"]


def test_a_wrong_application_or_level_is_a_line_of_advice(served):
    assert "did you mean `default`?" in served.run("%serve logs defalt").shown
    assert "invalid choice: 'LOUD'" in served.run("%serve logs --level loud").shown


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (LogQuery(), "What your code prints"),
        (LogQuery(request_id="q"), "`x-request-id`"),
        (LogQuery(contains="x"), "these filters"),
    ],
)
def test_an_empty_log_says_why(query, why):
    assert why in logs_view((), query).text


def test_what_replicas_say_is_never_html():
    record = said(HOSTILE, app=HOSTILE, deployment=HOSTILE, request_id=HOSTILE)
    query = LogQuery(app=HOSTILE, contains=HOSTILE)

    view = logs_view((record,), query)

    assert "script" not in tags(view.html)
    assert HOSTILE in view.text


def test_a_record_without_end_is_cut():
    view = logs_view((said("x" * 100_000),), LogQuery())

    assert len(view.text) < 30_000
    assert "80000 more characters" in view.text


def test_lost_records_are_said():
    assert "7 older records were dropped" in logs_view((), LogQuery(), 7).text


def test_following_shows_the_last_records_in_one_place_until_interrupted():
    screen = FakeScreen()
    query = LogQuery(limit=2)

    follow(Chatty(4), query, LogTail(query, screen, str))

    assert "line 3" in screen.views[-1].text
    assert "line 2" in screen.views[-1].text
    assert "line 1" not in screen.views[-1].text
    assert "interrupt the cell" in screen.views[0].text
    assert "interrupt the cell" not in screen.views[-1].text


def test_following_asks_only_for_what_is_new_and_waits_for_it():
    backend = Chatty(3)

    follow(backend, LogQuery(), LogStream(str))

    assert [each.after for each in backend.asked_logs] == [0, 1, 2]
    assert [each.wait_s > 0 for each in backend.asked_logs] == [False, True, True]


def test_following_can_have_an_end(served):
    ran = served.run("%serve logs --for 0.01")

    assert ran.error is None


def test_a_terminal_gets_each_line_once(capsys):
    follow(Chatty(3), LogQuery(), LogStream(str))

    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("  ")[2] for line in lines] == [
        "line 0",
        "line 1",
        "line 2",
    ]


def test_following_needs_no_thread():
    before = threading.active_count()

    follow(Chatty(1), LogQuery(), LogStream(str))

    assert threading.active_count() == before
