"""`%%serve` in a real kernel on a real instance: what a reader sees and what answers."""

import pytest

from tests.notebook.kernel import Kernel, open_kernel

COUNTER = """%%serve
from workbench import serve

@serve.deployment
class Counter:
    def __init__(self):
        self.calls = 0

    def __call__(self, request):
        self.calls += 1
        return {"calls": self.calls}
"""
EDITED = COUNTER.replace('"calls": self', '"calls_so_far": self')


@pytest.fixture(scope="module")
def instance():
    """Ends the instance that the tests' cells start, whatever they do."""
    yield
    with open_kernel() as kernel:
        kernel.run("%load_ext workbench\n%serve shutdown")


@pytest.fixture
def kernel(instance):
    with open_kernel() as kernel:
        kernel.run("%load_ext workbench")
        kernel.run(COUNTER)
        yield kernel
        kernel.run("%serve delete default")


def test_a_cell_is_served_and_an_edit_keeps_the_living_instance(kernel: Kernel):
    assert '{"calls": 1}' in kernel.run("%serve query /").text

    card = kernel.run(EDITED).text

    assert "default · live · http://127.0.0.1:" in card
    assert "Counter · keep: " in card
    assert '{"calls_so_far": 2}' in kernel.run("%serve query /").text


def test_fresh_builds_a_new_instance(kernel: Kernel):
    kernel.run("%serve query /")

    card = kernel.run(EDITED.replace("%%serve", "%%serve --fresh")).text

    assert "Counter · swap: " in card
    assert '{"calls_so_far": 1}' in kernel.run("%serve query /").text


def test_a_constructor_that_fails_shows_the_cells_line_and_the_old_version_serves(
    kernel: Kernel,
):
    shown = kernel.run(COUNTER.replace("self.calls = 0", "raise ValueError('no luck')"))

    assert shown.error == "ConstructorError"
    assert shown.text.count("ValueError: no luck") == 1
    assert "Cell In[3], line 7" in shown.text
    assert "raise ValueError('no luck')" in shown.text
    assert "workbench/" not in shown.text
    assert "✕ default · failed" in shown.text
    assert '{"calls": 1}' in kernel.run("%serve query /").text


def test_an_interrupted_cell_leaves_a_kernel_and_a_service_that_work(kernel: Kernel):
    endless = COUNTER.replace(
        "self.calls = 0", "import threading; threading.Event().wait()"
    )
    sent: list[str] = []

    def interrupt_once(text: str) -> None:
        if "deploying" in text and not sent:
            sent.append(text)
            kernel.interrupt()

    shown = kernel.run(endless, interrupt_once)

    assert shown.error == "KeyboardInterrupt"
    assert "deploying on its own" in shown.text
    assert "workbench/" not in shown.text
    assert '{"calls": 1}' in kernel.run("%serve query /").text
    assert "Counter · " in kernel.run(EDITED).text
    assert "calls_so_far" in kernel.run("%serve query /").text


def test_the_handle_of_a_cell_answers_in_the_notebook(kernel: Kernel):
    kernel.run(COUNTER.replace("%%serve", "%%serve --out counter"))

    assert "{'calls': 1}" in kernel.run("counter.remote(None).result()").text


def test_the_instance_outlives_the_kernel_and_is_found_again(kernel: Kernel):
    with open_kernel() as other:
        other.run("%load_ext workbench")

        assert "● default" in other.run("%serve").text
        assert '{"calls": 1}' in other.run("%serve query /").text


def test_what_changed_is_shown_and_another_kernel_brings_it_back(kernel: Kernel):
    kernel.run(EDITED)

    diff = kernel.run("%serve diff default").text
    with open_kernel() as other:
        other.run("%load_ext workbench")
        card = other.run("%serve rollback default").text
        versions = other.run("%serve versions default").text

    assert "# Counter: method `__call__` replaced" in diff
    assert '-        return {"calls": self.calls}' in diff
    assert '+        return {"calls_so_far": self.calls}' in diff
    assert "Counter · keep: `__init__` unchanged: the instance is kept" in card
    assert "rollback to 1; Counter: keep" in versions
    assert '"calls":' in kernel.run("%serve query /").text


def test_new_code_that_does_not_stand_its_smoke_request_is_taken_back(kernel: Kernel):
    broken = EDITED.replace("self.calls += 1", "raise ValueError('no luck')")

    shown = kernel.run(broken.replace("%%serve", "%%serve --smoke /x"))

    assert shown.error == "GateError"
    assert "Smoke request GET /x answered 500" in shown.text
    assert "The previous version serves on." in shown.text
    assert "reverted" in kernel.run("%serve versions default").text
