"""What Tab offers on a `%serve` line, in the completer of a real shell."""

import threading

import pytest
from IPython.core.completer import provisionalcompleter

from tests.unit.notebook.fake_backend import INSTANCE, recorded, running
from workbench.errors import InstanceError
from workbench.notebook.completion import Known
from workbench.notebook.verbs import VERBS
from workbench.spec.logs import LEVELS
from workbench.spec.status import ServeStatus


@pytest.fixture
def served(notebook):
    """A notebook whose instance serves two applications."""
    backend = notebook.backend
    backend.instance = INSTANCE
    backend.applications = {"digits": running("Digits"), "ocr": running("Reader", "/o")}
    return notebook


def offered(notebook, text: str) -> list[str]:
    """The words that Tab at the end of the text offers."""
    with provisionalcompleter():
        found = list(notebook.shell.Completer.completions(text, len(text)))
    return [each.text for each in found]


def completed(notebook, text: str) -> list[str]:
    """The texts that choosing each of the words makes."""
    with provisionalcompleter():
        found = list(notebook.shell.Completer.completions(text, len(text)))
    return [text[: each.start] + each.text + text[each.end :] for each in found]


def test_verbs_are_offered(notebook):
    assert offered(notebook, "%serve ") == [*VERBS, "help"]
    assert completed(notebook, "%serve sta") == ["%serve status"]
    assert completed(notebook, "%serve help que") == ["%serve help query"]


def test_options_are_offered_until_they_are_given(notebook):
    assert completed(notebook, "%%serve --fr") == ["%%serve --fresh"]
    assert "--route" in offered(notebook, "%%serve --")
    assert "--route" not in offered(notebook, "%%serve --route /x --")
    assert "--route" not in offered(notebook, "%%serve --route=/x --")
    assert "--follow" in offered(notebook, "%serve logs --")


def test_choices_of_an_option_are_offered(notebook):
    assert offered(notebook, "%serve logs --level ") == list(LEVELS)
    assert completed(notebook, "%serve logs --level=W") == [
        "%serve logs --level=WARNING"
    ]


def test_names_of_what_is_served_are_offered(served):
    assert offered(served, "%serve delete ") == ["digits", "ocr"]
    assert offered(served, "%serve scale o") == ["ocr"]
    assert offered(served, "%%serve d") == ["digits"]
    assert offered(served, "%serve logs --deployment ") == ["Digits", "Reader"]
    assert offered(served, "%serve logs ocr --deployment ") == ["Reader"]
    assert completed(served, "%serve query /o") == ["%serve query /o"]


def test_replicas_are_offered(served):
    assert offered(served, "%serve logs --replica ") == ["Digits-r1", "Reader-r1"]
    assert offered(served, "%serve logs digits --replica ") == ["Digits-r1"]


def test_a_variable_is_offered_where_one_is_meant(served):
    served.run("images = [[0.5]]")

    assert completed(served, "%serve query /o ima") == ["%serve query /o images"]
    assert "%serve query --out images" in completed(served, "%serve query --out ima")


def test_a_deployment_is_named_where_an_application_has_several(served):
    inner = running("Detector").deployments
    served.backend.applications["ocr"].deployments.update(inner)

    assert offered(served, "%serve scale ") == ["digits", "ocr/Reader", "ocr/Detector"]


def test_other_lines_are_completed_as_ever(served):
    served.run("digits_seen = 3")

    assert "digits_seen" in offered(served, "digits_s")
    assert offered(served, "%%serve\ndigits_s") == ["digits_seen"]
    assert served.backend.asked_status == 0


def test_a_line_in_the_middle_of_a_cell_is_completed(served):
    assert offered(served, "x = 1\n%serve delete oc") == ["ocr"]


def test_nothing_is_started_to_complete_a_name(notebook):
    assert completed(notebook, "%serve delete x") == ["%serve delete x"]
    assert notebook.backend.instance is None


def test_loading_twice_offers_everything_once(served):
    served.run("%load_ext workbench\n%reload_ext workbench")

    assert offered(served, "%serve ") == [*VERBS, "help"]


def test_a_slow_instance_keeps_nobody_waiting():
    may_answer = threading.Event()
    answer = ServeStatus(instance=INSTANCE)

    def ask() -> ServeStatus:
        may_answer.wait(20)
        return answer

    known = Known(ask, ServeStatus())
    assert known.get(budget_s=0.01) == ServeStatus()

    may_answer.set()
    assert known.get(budget_s=20) is answer


def test_an_instance_that_is_away_offers_nothing():
    def ask() -> ServeStatus:
        raise InstanceError("away")

    assert Known(ask, ServeStatus()).get(budget_s=20) == ServeStatus()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%serve versions ", ["digits", "ocr"]),
        ("%serve rollback digits ", ["2", "1"]),
        ("%serve diff digits 1 ", ["2", "1"]),
        ("%serve rollback digits 1 --", ["--help", "--show-code", "--out"]),
    ],
)
def test_versions_are_offered_whose_code_is_there(served, line, words):
    served.backend.recorded = [recorded(2), recorded(1), recorded(0, is_kept=False)]

    assert offered(served, line) == words
