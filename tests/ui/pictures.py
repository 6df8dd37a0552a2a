"""Makes the README's pictures, with real traffic: `python -m tests.ui.pictures`."""

from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.ui.browser import chromium, close_lab, open_lab
from tests.ui.callers import SteadyCaller
from tests.ui.lab import Lab, jupyter_lab
from tests.ui.notebook import Notebook
from tests.ui.sidebar import Sidebar

__all__ = ["main"]

FOLDER = Path(__file__).parent / "pictures"
CELL = """%%serve digits
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from workbench import serve

@serve.deployment(num_replicas=2)
class Digits:
    def __init__(self):
        pixels, labels = load_digits(return_X_y=True)
        self.model = LogisticRegression(max_iter=200).fit(pixels / 16, labels)

    async def __call__(self, request):
        pixels = await request.json()
        return int(self.model.predict([pixels])[0])"""
IMAGE = [0.0] * 20 + [1.0, 0.9, 0.8, 0.4] * 6 + [0.0] * 20
# Clients at a time, each for a while: a chart of constant load shows little.
CLIENTS = (2, 5, 3, 7, 4)
PART_S = 13
_LIVE_MS = 120_000


def main() -> None:
    """Both pictures, from one notebook."""
    FOLDER.mkdir(exist_ok=True)
    with jupyter_lab() as lab, chromium() as browser:
        page = open_lab(browser, lab, "pictures", height=960)
        try:
            take(page, lab)
        finally:
            close_lab(page)


def take(page: Page, lab: Lab) -> None:
    """Serve, call for a minute, and look."""
    notebook = Notebook(page, lab, name="digits.ipynb")
    page.evaluate(_TIDY)
    notebook.run(0, "%load_ext workbench")
    try:
        card = notebook.run(1, CELL)
        expect(card).to_contain_text("live", timeout=_LIVE_MS)
        url = card.get_by_role("link").first.inner_text()
        panel = notebook.run(2, "%serve panel").locator(".wb-panel")
        with ExitStack() as stack:
            call_in_turns(page, stack, url)
            panel.locator("[data-chart=latency] canvas").wait_for()
            notebook.cell(1).evaluate("it => it.scrollIntoView({ block: 'start' })")
            page.screenshot(path=FOLDER / "notebook.png")
            show_sidebar(page, notebook)
            page.screenshot(path=FOLDER / "sidebar.png")
    finally:
        notebook.run(3, "%serve shutdown")


def call_in_turns(page: Page, stack: ExitStack, url: str) -> None:
    """Traffic for as long as the charts reach back; the last part goes on."""
    for clients in CLIENTS[:-1]:
        with SteadyCaller(url, clients=clients, body=IMAGE):
            page.wait_for_timeout(1000 * PART_S)
    stack.enter_context(SteadyCaller(url, clients=CLIENTS[-1], body=IMAGE))
    page.wait_for_timeout(1000 * PART_S)


def show_sidebar(page: Page, notebook: Notebook) -> None:
    """The tree, the notebook, and the plots beside it."""
    sidebar = Sidebar(page).show()
    sidebar.select(sidebar.row("Digits", "deployment"))
    sidebar.act("plots")
    plots = page.get_by_test_id("wb-plots-view")
    plots.locator("[data-chart=latency] canvas").wait_for()
    notebook.cell(0).evaluate("it => it.scrollIntoView({ block: 'start' })")
    page.mouse.move(0, 0)
    page.wait_for_timeout(3000)  # what moved has come to rest


# Only the notebook: no launcher, no file browser.
_TIDY = """async () => {
  const { shell } = window.jupyterapp;
  for (const widget of Array.from(shell.widgets('main'))) {
    if (!widget.context) widget.close();
  }
  shell.collapseLeft();
}"""


if __name__ == "__main__":
    main()
