"""The magics wherever notebooks run: nbclient, papermill, a terminal, few packages."""

import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient import NotebookClient

from tests.notebook.kernel import Kernel, open_kernel
from workbench.settings import process_environment

LOAD = "%load_ext workbench"
MODEL = """%%serve adder
from workbench import serve

@serve.deployment
class Adder:
    def __init__(self):
        print("made with {braces} and $dollars")

    async def __call__(self, request):
        numbers = await request.json()
        return sum(numbers) + 1
"""
FAILS_AT_LINE = 11


@pytest.fixture(scope="module")
def kernel():
    """A kernel whose instance serves `adder`; ends with the tests."""
    with open_kernel() as kernel:
        kernel.run(LOAD)
        kernel.run(MODEL)
        yield kernel
        kernel.run("%serve shutdown")


def outputs_of(cell) -> list[dict]:
    return cell.get("outputs", [])


def shown(book) -> list[str]:
    """What each code cell showed, as plain text."""
    return [
        "\n".join(
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for output in outputs_of(cell)
        )
        for cell in book.cells
    ]


def book_of(*cells: str):
    return nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))


CELLS = (LOAD, MODEL, "%serve query /adder [1, 2]", "%serve query /adder 7", "%serve")


def check_cells(book) -> None:
    _, card, answer, failure, status = shown(book)[-5:]
    assert "● adder · live" in card
    assert answer.endswith("application/json\n4")
    assert f"line {FAILS_AT_LINE}, in __call__" in failure
    assert "return sum(numbers) + 1" in failure
    assert failure.count("TypeError: ") == 1
    assert "● adder" in status
    # One output a cell, which changed in place; each as HTML and as text.
    for cell in book.cells[-4:]:
        (output,) = outputs_of(cell)
        assert '<div class="wb">' in output["data"]["text/html"]
        assert "\x1b" not in output["data"]["text/plain"]


@pytest.mark.usefixtures("kernel")
def test_a_notebook_is_executed_by_nbclient():
    book = book_of(*CELLS)

    NotebookClient(book, timeout=120, kernel_name="python3").execute()

    check_cells(book)


@pytest.mark.usefixtures("kernel")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_notebook_is_executed_by_papermill(tmp_path):
    book = book_of(*CELLS)
    book.metadata["language_info"] = {"name": "python"}
    nbformat.write(book, tmp_path / "in.ipynb")

    papermill.execute_notebook(
        tmp_path / "in.ipynb",
        tmp_path / "out.ipynb",
        kernel_name="python3",
        progress_bar=False,
        parameters={"unused": 1},
    )

    check_cells(nbformat.read(tmp_path / "out.ipynb", as_version=4))


def in_terminal(tmp_path: Path, *cells: str) -> str:
    """What IPython in a terminal prints."""
    lines = []
    for number, cell in enumerate(cells):
        path = tmp_path / f"{number}.txt"
        path.write_text(cell)
        lines.append(f"_ = get_ipython().run_cell(open({str(path)!r}).read())")
    options = ["--simple-prompt", "--no-banner", "--colors=nocolor", "--quick"]
    done = subprocess.run(
        [sys.executable, "-m", "IPython", *options],
        input="\n".join([*lines, ""]),
        capture_output=True,
        text=True,
        check=True,
        env={**process_environment(), "IPYTHONDIR": str(tmp_path)},
    )
    return done.stdout


@pytest.mark.usefixtures("kernel")
def test_a_terminal_gets_text(tmp_path):
    text = in_terminal(
        tmp_path, *CELLS, "%serve panel adder", "%serve logs --lines 1", "%serve doctor"
    )

    assert "● adder · live" in text
    assert "application/json\n4\n" in text
    assert f"line {FAILS_AT_LINE}, in __call__" in text
    assert "requests/s" in text
    assert "Logs · 1 record" in text
    assert "a terminal" in text
    assert "<div" not in text
    assert "\x1b" not in text


BLOCKED = """
import sys
for name in ("anywidget", "ipywidgets", "plotly", "pandas"):
    sys.modules[name] = None
"""


@pytest.mark.usefixtures("kernel")
def test_without_widget_packages_all_but_the_live_plots_works():
    with open_kernel() as bare:
        bare.run(BLOCKED)
        bare.run(LOAD)

        assert "live" in bare.run(MODEL).text
        panel = bare.run("%serve panel adder")
        assert not panel.error
        assert "requests/s" in panel.text
        assert "%pip install anywidget" in panel.text
        assert not bare.run("%serve doctor").error


def test_tab_completes_in_a_real_kernel(kernel: Kernel):
    assert "--route" in kernel.complete("%%serve --ro")
    assert kernel.complete("%serve delete a") == ["adder"]
    assert kernel.complete("%serve scale adder 2\n%serve lo") == ["logs"]


def test_following_logs_ends_with_the_stop_button(kernel: Kernel):
    sent: list[str] = []

    def interrupt_once(text: str) -> None:
        if "interrupt the cell" in text and not sent:
            sent.append(text)
            kernel.interrupt()

    followed = kernel.run("%serve logs adder -f", interrupt_once)

    assert not followed.error
    assert "made with {braces} and $dollars" in followed.text
    assert len(followed.outputs) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%serve", "adder"),
        ("%serve status", "adder"),
        ("%serve query /adder [1, 2]", "200 4"),
        ("%serve query /adder [1, 2] --out answer", "200 4"),
        ("%serve logs adder", "made with"),
        ("%serve logs adder --for 0.1", "made with"),
        ("%serve scale adder 1", ""),
        ("%serve panel adder", ""),
        ("%serve doctor", "Python"),
        ("%serve delete nothing", ""),
        (MODEL.replace("%%serve adder", "%%serve second --out h"), ""),
        (MODEL.replace("%%serve adder", "%%serve third --replicas 2 --no-wait"), ""),
    ],
    ids=lambda text: text.partition("\n")[0],
)
def test_the_plain_python_of_a_magic_runs(kernel: Kernel, tmp_path, line, said):
    first, *rest = line.split("\n")
    code = kernel.run("\n".join([f"{first} --show-code", *rest])).text

    (tmp_path / "twin.py").write_text(code)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "twin.py")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert not done.returncode, f"{code}\n{done.stderr}"
    assert said in done.stdout


def test_showing_the_code_does_nothing(kernel: Kernel):
    kernel.run("%serve shutdown --show-code")
    kernel.run("%serve delete adder --show-code")

    assert "● adder" in kernel.run("%serve status").text
