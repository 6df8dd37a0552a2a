"""The extension in other Jupyters, each in an environment of its own: `make matrix`.

JupyterLab 4.2 and Notebook 7 hold the wheel and what the server's side of it needs, not
Ray; the kernel is another environment's: this one. Takes minutes, and the network.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, expect

from tests.ui.announced import announced
from tests.ui.browser import chromium, keep_picture, wait_until_ready
from tests.ui.lab import Lab
from tests.ui.notebook import Notebook
from tests.ui.sidebar import Sidebar
from tests.ui.stage import StagedInstance, application, deployment

__all__ = ["main"]

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "artifacts" / "ui"
# What is asked for, the module that serves it, and where it opens a notebook.
JUPYTERS = {
    "jupyterlab-4.2": ("jupyterlab==4.2.*", "jupyterlab", "lab/tree/{name}"),
    "notebook-7.2": ("notebook==7.2.*", "notebook", "notebooks/{name}"),
    "notebook-7": ("notebook>=7,<8", "notebook", "notebooks/{name}"),
}
# Of the dependencies, those of the server's side and of the panel's widget.
SERVER_NEEDS = ("anywidget", "httpx", "ipywidgets", "jupyter-server", "msgspec")
PATIENCE_MS = 60_000


def main() -> None:
    """Try all, or those that are named."""
    names = sys.argv[1:] or list(JUPYTERS)
    expect.set_options(timeout=PATIENCE_MS)
    with TemporaryDirectory() as folder, chromium() as browser:
        run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, str(ROOT))
        (wheel,) = Path(folder).glob("*.whl")
        for name in names:
            home = Path(folder) / name
            requirement, app, place = JUPYTERS[name]
            python = environment(home / "venv", requirement, wheel)
            lab = Lab(home / "home", python=str(python))
            add_kernel(lab)
            try:
                try_out(browser, lab.start(app), place, name)
            finally:
                lab.stop()
            print(f"{name}: {version_of(python, app)} works")  # noqa: T201


def environment(folder: Path, requirement: str, wheel: Path) -> Path:
    """A fresh one with the wheel; its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", requirement, *SERVER_NEEDS)
    run(python, "-m", "pip", "install", "--no-deps", wheel)
    return python


def add_kernel(lab: Lab) -> None:
    """This environment as a kernel, beside the server's own."""
    folder = Path(lab.environment()["JUPYTER_DATA_DIR"]) / "kernels" / "other"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "other", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))


def try_out(browser: Browser, lab: Lab, place: str, name: str) -> None:
    """The sidebar shows an instance, plots open, and a panel is drawn in a cell."""
    Notebook.write_file(lab, "first.ipynb", kernel="other")
    page = browser.new_page(base_url=lab.url)
    page.goto(f"{place.format(name='first.ipynb')}?token={lab.token}")
    wait_until_ready(page)
    with StagedInstance() as staged, announced(staged, lab.runtime_dir):
        staged.show(default=application(Doubler=deployment(2)))
        show_all(page, lab)
        keep_picture(page, PICTURES, name)
    page.close()


def show_all(page: Page, lab: Lab) -> None:
    """Sidebar, plots, and a panel."""
    sidebar = Sidebar(page).show()
    expect(sidebar.rows("replica")).to_have_count(2)
    notebook = Notebook.opened(page, "first.ipynb")
    notebook.run(0, "%load_ext workbench")
    panel = notebook.run(1, "%serve panel").locator(".wb-panel")
    expect(panel).to_contain_text("Doubler")
    sidebar.select(sidebar.row("Doubler", "deployment"))
    sidebar.act("plots")
    plots = page.get_by_test_id("wb-plots-view")
    expect(plots.locator("[data-chart=latency] canvas")).to_be_visible()


def version_of(python: Path, module: str) -> str:
    """What was installed."""
    code = f"import {module}; print({module}.__version__)"
    done = subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True
    )
    return f"{module} {done.stdout.strip()}"


def run(*words: str | Path) -> None:
    """Run a command; its output only if it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{words}\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    main()
