"""Every notebook of the project runs from top to bottom."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from workbench.settings import process_environment

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_it_is_short_and_stored_without_outputs(path):
    book = nbformat.read(path, as_version=4)

    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert len(book.cells) <= 15
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.fixture
def shown_by(tmp_path):
    """Executes a notebook on an instance of its own; all that it showed, as text."""
    environment = {**process_environment(), "JUPYTER_RUNTIME_DIR": str(tmp_path)}

    def execute(stem: str) -> str:
        book = nbformat.read(FOLDER / f"{stem}.ipynb", as_version=4)
        resources = {"metadata": {"path": str(FOLDER)}}
        client = NotebookClient(
            book,
            timeout=120,
            resources=resources,
            # Else it warns that the kernel's own loopback sockets are not encrypted.
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )
        client.execute(env=environment)
        outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
        return COLOUR.sub("", "\n".join(map(text_of, outputs)))

    yield execute
    # Where it failed midway, it could not end its instance.
    command = [sys.executable, "-m", "workbench.cli", "down"]
    subprocess.run(command, env=environment, capture_output=True, check=False)


def text_of(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.data.get("text/plain", ""))


def test_the_first_deployment_answers_and_keeps_its_model(shown_by):
    shown = shown_by("01_first_deployment")

    assert "Digits · start: " in shown
    assert "of 500 right" in shown
    assert "Digits · keep: " in shown
    assert '"probabilities"' in shown
    assert "Nothing runs." in shown


def test_edits_take_the_least_step_and_fail_no_request(shown_by):
    shown = shown_by("02_edit_and_rerun")

    steps = re.findall(r"Screening · (\w+): ", shown)
    assert steps == ["start", "keep", "reconfigure", "swap", "roll", "swap"]
    assert "✕ default · failed" in shown
    assert "The previous version serves on." in shown
    assert re.search(r"Cell In\[\d+\], line \d+, in __init__", shown)
    assert "self.model.fit(train_rows, train_malignant)" in shown
    assert "Got 0 instead." in shown
    assert re.search(r"^[1-9]\d+ answers, 0 failures$", shown, re.MULTILINE)
    assert "Nothing runs." in shown


def test_in_a_composition_only_the_changed_deployment_moves(shown_by):
    shown = shown_by("03_compose_models")

    assert "Forest      2 of 2 running" in shown
    assert "Jury · keep: " in shown
    assert re.findall(r"(\w+) · nothing: ", shown) == [
        "Logistic",
        "Neighbours",
        "Forest",
    ]
    assert "Nothing runs." in shown


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("rapidocr_onnxruntime", "skimage"))),
    reason="needs the extra [ocr]",
)
def test_a_photographed_page_is_read(shown_by):
    shown = shown_by("04_ocr")

    assert "Recogniser  2 of 2 running" in shown
    before, _, after = shown.partition("Detector · reconfigure: ")
    assert "Let us first determine markers of the coins and the" in before
    assert "the two extreme parts" not in before
    assert "the two extreme parts" in after
    assert "Nothing runs." in after
