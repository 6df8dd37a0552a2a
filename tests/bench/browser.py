"""What a reader of JupyterLab waits for, in a real page: `python -m tests.bench.browser`.

- From Shift+Enter on a changed cell to `live` in its card, as the page sees both.
- What one update of the sidebar costs the page with 300 replicas in the tree.
"""

from contextlib import ExitStack
from statistics import median, quantiles

from playwright.sync_api import CDPSession, Page

from tests.bench.report import publish
from tests.ui.announced import announced
from tests.ui.browser import lab_page
from tests.ui.lab import Lab, jupyter_lab
from tests.ui.notebook import Notebook
from tests.ui.sidebar import Sidebar
from tests.ui.stage import StagedInstance, application, deployment

REDEPLOYS = 30
REPLICAS = 300
UPDATES = 40
CELL = """%%serve
from workbench import serve

@serve.deployment
class Version:
    def __init__(self):
        self.model = "loaded"

    async def __call__(self, request):
        return {version}"""
# Since the key went down; what the cell showed before does not count.
_WATCH = """() => {
  const area = document.querySelectorAll('.jp-NotebookPanel .jp-Cell')[1];
  window.benchmark = new Promise(resolve => {
    area.addEventListener('keydown', () => {
      const begin = performance.now();
      for (const node of area.querySelectorAll('.jp-OutputArea *')) node.wasThere = 1;
      const look = () => {
        const found = [...area.querySelectorAll('.jp-OutputArea .wb-head > span')];
        if (found.some(it => !it.wasThere && it.textContent === 'live')) {
          seen.disconnect();
          resolve(performance.now() - begin);
        }
      };
      const seen = new MutationObserver(look);
      seen.observe(area, { childList: true, subtree: true, characterData: true });
    }, { once: true, capture: true });
  });
}"""
_SET = """source => {
  const { content } = window.jupyterapp.shell.currentWidget;
  content.activeCellIndex = 1;
  content.activeCell.model.sharedModel.setSource(source);
  content.mode = 'edit';
}"""
_ANSWER = "() => window.benchmark"


def redeploys_ms(page: Page, lab: Lab) -> list[float]:
    """Each redeploy's time from the key to the word."""
    notebook = Notebook(page, lab)
    notebook.run(0, "%load_ext workbench")
    notebook.run(1, CELL.format(version=0))
    times = []
    try:
        for version in range(1, REDEPLOYS + 1):
            page.evaluate(_SET, CELL.format(version=version))
            page.evaluate(_WATCH)
            page.keyboard.press("Shift+Enter")
            times.append(float(page.evaluate(_ANSWER)))
    finally:
        notebook.run(2, "%serve shutdown")
    return times


class PageCost:
    """Time that the page's main thread spent, as Chromium counts it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._cdp.send("Performance.enable")

    def during(self, updates: int, beat_s: float) -> dict[str, float]:
        """Milliseconds an update, over so many."""
        before = self._read()
        self._page.wait_for_timeout(1000 * updates * beat_s)
        after = self._read()
        count = (after["Timestamp"] - before["Timestamp"]) / beat_s
        names = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
        return {
            name: 1000 * (after[name] - before[name]) / count
            for name in (*names, "TaskDuration")
        }

    def _read(self) -> dict[str, float]:
        metrics = self._cdp.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: float(metric["value"]) for metric in metrics}


def updates_ms(page: Page, lab: Lab) -> dict[str, dict[str, float]]:
    """Cost of one update: without the sidebar, with few lines in it, with all."""
    with ExitStack() as stack:
        staged = stack.enter_context(StagedInstance())
        stack.enter_context(announced(staged, lab.runtime_dir))
        page.evaluate("window.jupyterapp.commands.execute('filebrowser:activate')")
        staged.show(default=application(Wide=deployment(REPLICAS)))
        cost = PageCost(page)
        found = {"no sidebar": cost.during(UPDATES, staged.beat_s)}
        sidebar = Sidebar(page).show()
        row = sidebar.row("Wide", "deployment")
        row.wait_for()
        found["deployment closed"] = cost.during(UPDATES, staged.beat_s)
        row.focus()
        page.keyboard.press("ArrowRight")
        sidebar.rows("replica").first.wait_for()
        found[f"{REPLICAS} replicas"] = cost.during(UPDATES, staged.beat_s)
        return found


def main() -> None:
    """Print and keep both."""
    with jupyter_lab() as lab, lab_page(lab) as page:
        costs = updates_ms(page, lab)
        times = redeploys_ms(page, lab)
    publish(
        "sidebar",
        [
            {
                "sidebar": name,
                "script, ms an update": cost["ScriptDuration"],
                "layout and style": cost["LayoutDuration"]
                + cost["RecalcStyleDuration"],
                "main thread": cost["TaskDuration"],
            }
            for name, cost in costs.items()
        ],
    )
    publish(
        "live",
        [
            {
                "from Shift+Enter to live in the page": "keep",
                "redeploys": len(times),
                "median ms": median(times),
                "p95": quantiles(times, n=20)[-1],
                "least": min(times),
                "most": max(times),
            }
        ],
    )


if __name__ == "__main__":
    main()
