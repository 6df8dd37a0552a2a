"""What `%serve explain` shows: each decision with its figures, and how it went."""

import pytest

from tests.unit.notebook.fake_backend import INSTANCE, decided, running
from tests.unit.notebook.test_completion import offered
from workbench.notebook.explanation_view import explanation_view
from workbench.spec.autoscaling import ScalingRule


@pytest.fixture
def served(notebook):
    """A notebook whose instance serves an application that grew and shrank."""
    notebook.backend.instance = INSTANCE
    notebook.backend.applications = {"digits": running("Model")}
    notebook.backend.decided = [
        decided(1, 3, ongoing=5.5, queued=2, oldest_queued_s=1.25),
        decided(3, 3, proposed=2.75, why="as many as are wanted"),
        decided(3, 2, why="no more than `2` were wanted"),
        decided(1, 1, deployment="Front"),
    ]
    return notebook


def shown(ran):
    return "".join(output.data["text/plain"] for output in ran.output.outputs)


def test_a_decision_is_told_with_its_figures_rule_and_result(served):
    text = shown(served.run("%serve explain digits --deployment Model"))

    course, titles, grew, fits, shrank = text.splitlines()
    assert course == "Model: 1 → 3 → 2 replicas"
    assert titles.split()[2:] == [
        *("deployment", "replicas", "running", "ongoing"),
        *("waiting", "oldest", "policy", "proposed", "rule", "why"),
    ]
    assert grew.split()[2:] == [
        *("Model", "1", "→", "3", "1", "5.5", "2", "1.2", "s", "3.00", "grew"),
        *("3", "were", "wanted", "for", "30", "s"),
    ]
    assert "2.75" in fits
    assert "shrank" in shrank


def test_deployments_are_told_apart_and_the_last_decisions_can_be_asked_for(served):
    all_of_it = shown(served.run("%serve explain digits")).splitlines()
    last = shown(served.run("%serve explain digits --lines 1")).splitlines()

    assert all_of_it[:2] == ["Model: 1 → 3 → 2 replicas", "Front: 1 replica"]
    assert last[0] == "Front: 1 replica"
    assert len(last) == 3


def test_nothing_decided_is_said_with_what_to_write(served):
    served.backend.decided = []

    text = shown(served.run("%serve explain digits"))

    assert "none of its deployments has an autoscaling_config" in text
    assert 'autoscaling_config={"max_replicas": 4}' in text
    assert "wb-note" in explanation_view(served.backend.explain("digits")).html


def test_it_is_html_too_with_a_sign_for_every_rule_and_escapes(served):
    served.backend.decided = [
        decided(1, 1, rule=rule, why="<b>", deployment="<i>") for rule in ScalingRule
    ]

    html = explanation_view(served.backend.explain("digits")).html

    assert html.count('<tr class="wb-rule">') == len(ScalingRule)
    assert "&lt;b&gt;" in html
    assert "&lt;i&gt;: 1 replica" in html
    assert "<b>" not in html


def test_a_name_that_is_not_served_is_corrected(served):
    assert "did you mean `digits`?" in served.run("%serve explain digit").shown


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("explain digits", "print(serve.explain('digits').last(20))"),
        (
            "explain digits --lines 5 --deployment Model",
            "print(serve.explain('digits').last(5, 'Model'))",
        ),
    ],
)
def test_the_plain_python_is_shown(served, line, code):
    ran = served.run(f"%serve {line} --show-code")

    assert ran.shown.strip().splitlines()[-1] == code


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%serve expl", ["explain"]),
        ("%serve explain ", ["digits"]),
        ("%serve explain digits --deployment ", ["Model"]),
    ],
)
def test_tab_completes_it(served, line, words):
    assert offered(served, line) == words
