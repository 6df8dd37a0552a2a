"""What `%serve versions`, `diff` and `rollback` show and ask for."""

import pytest

from tests.unit.notebook.fake_backend import INSTANCE, recorded, running
from workbench.errors import UnknownVersionError
from workbench.notebook.versions_view import diff_view, versions_view
from workbench.spec.status import Step
from workbench.spec.versions import Outcome, StepTaken


@pytest.fixture
def served(notebook):
    """A notebook whose instance serves an application that was deployed three times."""
    notebook.backend.instance = INSTANCE
    notebook.backend.applications = {"digits": running("Model")}
    notebook.backend.recorded = [
        recorded(3, outcome=Outcome.REVERTED, reason="GET / answered 500"),
        recorded(2, is_current=True),
        recorded(1, is_kept=False),
    ]
    return notebook


def shown(ran):
    return "".join(output.data["text/plain"] for output in ran.output.outputs)


def test_versions_are_a_table_newest_first(served):
    text = shown(served.run("%serve versions digits"))

    gist, titles, newest, current, oldest, *_ = text.splitlines()
    assert gist == "digits: 3 deploys"
    assert titles.split() == [
        *("version", "deployed", "outcome", "what", "changed", "by")
    ]
    assert "reverted" in newest
    assert current.strip().startswith("● 2")
    assert "Model: keep, `a` changed" in current
    assert current.endswith("digits.ipynb")
    assert "code no longer kept" in oldest
    assert "3: GET / answered 500" in text
    assert "`%serve rollback digits [VERSION]`" in text


def test_deployments_that_did_not_move_are_left_out(served):
    still = StepTaken(deployment="Front", step=Step.NOTHING, reason="the same")
    moved = recorded(1).steps
    served.backend.recorded = [
        recorded(2, steps=(still,)),
        recorded(1, steps=(still, *moved)),
    ]

    newest, oldest = (row[4] for row in served.backend.versions("digits").rows[1:])

    assert (newest, oldest) == ("nothing", "Model: keep, `a` changed")


def test_the_table_is_html_too_and_escapes_what_users_wrote(served):
    served.backend.recorded = [recorded(1, reason="<b>", outcome=Outcome.FAILED)]

    html = versions_view(served.backend.versions("digits")).html

    assert "1: &lt;b&gt;" in html
    assert "<code>a</code> changed" in html


def test_a_diff_is_text_that_patch_reads_and_html_with_colours(served):
    diff = served.backend.diff("digits")

    text = shown(served.run("%serve diff digits 1 2"))
    html = diff_view(diff).html

    assert text == str(diff)
    assert text.splitlines()[:2] == [
        "# digits: version 1 (abcdef1) → version 2 (abcdef2)",
        "# Model: 1 method replaced (`predict`)",
    ]
    assert '<span class="wb-bad">-a &lt; b</span>' in html
    assert '<span class="wb-good">+a &gt; b</span>' in html
    assert '<span class="wb-soft">--- cell</span>' in html


def test_a_rollback_has_a_card_and_leaves_the_handle(served):
    ran = served.run("%serve rollback digits 1 --out handle")

    assert served.backend.rolled_back == [("digits", "1")]
    assert "● digits · live" in ran.shown
    assert served.namespace["handle"] == "the handle"


def test_a_version_that_is_not_there_is_said(served):
    served.backend.fails_with = UnknownVersionError("No version 9.", "There is 1.")

    ran = served.run("%serve rollback digits 9")

    assert "No version 9." in ran.shown
    assert "The previous version serves on." in ran.shown


def test_a_name_that_is_not_served_is_corrected(served):
    ran = served.run("%serve versions digit")

    assert "did you mean `digits`?" in ran.shown


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("versions digits", "print(serve.versions('digits'))"),
        ("diff digits 1", "print(serve.diff('digits', '1'))"),
        ("rollback digits --out h", "h = serve.rollback('digits')"),
    ],
)
def test_the_plain_python_is_shown(served, line, code):
    ran = served.run(f"%serve {line} --show-code")

    assert ran.shown.strip().splitlines()[-1] == code
    assert not served.backend.rolled_back
