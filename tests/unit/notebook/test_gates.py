"""What a `%%serve` cell asks of its new code, and what its card says of that."""

import pytest

from workbench.notebook.card import Card, Phase
from workbench.spec.gate import Gate, Guard, Smoke
from workbench.spec.status import DeployEvent, EventKind

MODEL = """
@deployment
class Model:
    def __call__(self, request):
        return "hello"
"""


@pytest.mark.parametrize(
    ("options", "gate"),
    [
        ("", Gate()),
        ("--smoke /", Gate(smoke=(Smoke(),))),
        (
            "--smoke '/predict [1, 2]' --smoke /docs --guard 5",
            Gate(
                smoke=(
                    Smoke(path="/predict", method="POST", body="[1, 2]"),
                    Smoke(path="/docs"),
                ),
                guard=Guard(for_s=5),
            ),
        ),
    ],
)
def test_the_gate_is_asked_for_on_the_line(notebook, options, gate):
    notebook.run(f"%%serve {options}\n{MODEL}")

    assert notebook.backend.deploys[-1].gate == gate


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--smoke predict", "starts with '/'"),
        ("--smoke '/ {1'", "'/ {1'"),
        ("--guard soon", "no time in seconds"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(notebook, options, says):
    ran = notebook.run(f"%%serve {options}\n{MODEL}")

    assert says in ran.shown
    assert not notebook.backend.deploys


def test_the_plain_python_asks_for_the_same(notebook):
    options = "--smoke '/predict {\"a\": true}' --guard 5"

    waited = notebook.run(f"%%serve {options} --show-code\n{MODEL}").shown
    left = notebook.run(f"%%serve {options} --no-wait --show-code\n{MODEL}").shown

    gate = "smoke=[('/predict', {'a': True})], guard=5"
    assert f"route_prefix='/', {gate})" in waited
    assert "from workbench.spec.gate import Gate" in left
    assert f"gate=Gate.parse({gate}), wait=False)" in left


def test_a_card_says_how_far_the_trial_has_come():
    said = "Serves; watched for 5 s."
    card = Card(name="default", phase=Phase.DEPLOYING)

    card = card.with_event(DeployEvent(kind=EventKind.GATE, at_s=0.1, message=said))

    assert card.notes == (said,)
    assert card.is_busy
