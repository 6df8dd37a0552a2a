"""Every notebook of the project runs from top to bottom."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_it_is_short_and_stored_without_outputs(path):
    book = nbformat.read(path, as_version=4)

    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert len(book.cells) <= 15
    assert not any(cell.outputs or cell.execution_count for cell in code)


def executed(path: Path) -> str:
    """All that its cells showed, as plain text."""
    book = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(book, timeout=120, resources=resources).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in outputs
    )


def test_the_first_deployment_answers_and_keeps_its_model():
    shown = executed(FOLDER / "01_first_deployment.ipynb")

    assert "Digits · start: " in shown
    assert "of 500 right" in shown
    assert "Digits · keep: " in shown
    assert '"probabilities"' in shown
    assert "Nothing runs." in shown
