"""From Shift+Enter on a changed cell to "live" on its card, as the browser shows it.

A real JupyterLab in Chromium; the page itself takes the time, from the key to the frame
that shows the card. `python -m tests.bench.card [redeploys]`
"""

import sys
from statistics import median

from playwright.sync_api import Page

from tests.bench.report import publish
from tests.ui.browser import lab_page
from tests.ui.lab import jupyter_lab
from tests.ui.notebook import Notebook

REDEPLOYS = 30
PAUSE_MS = 500

CELL = """%%serve
from workbench import serve

@serve.deployment
class Answer:
    def __init__(self):
        self.made_for = {made_for}

    async def __call__(self, request):
        return {version}
"""
# Waits until the old card is gone and the new one, live, is about to be painted.
WATCH = """() => {
  const cell = document.querySelectorAll('.jp-CodeCell')[1];
  window.took = new Promise(done => {
    let begin = null, isGone = false;
    document.addEventListener('keydown', event => {
      if (event.key === 'Enter' && event.shiftKey) begin ??= performance.now();
    }, { capture: true });
    const observer = new MutationObserver(() => {
      const card = cell.querySelector('.jp-OutputArea-output')?.textContent ?? '';
      isGone ||= !card.includes('live');
      if (!isGone || !card.includes('live')) return;
      observer.disconnect();
      requestAnimationFrame(() => done(performance.now() - begin));
    });
    observer.observe(cell, { subtree: true, childList: true, characterData: true });
  });
}"""


def measure(page: Page, notebook: Notebook, step: str, count: int) -> dict[str, object]:
    """Change the cell again and again; one row of the report."""
    took = []
    for version in range(1, count + 1):
        made_for = version if step == "swap" else 0
        page.wait_for_timeout(PAUSE_MS)
        page.evaluate(WATCH)
        card = notebook.run(1, CELL.format(version=version, made_for=made_for))
        took.append(page.evaluate("window.took"))
        if step not in card.inner_text():
            msg = f"not a {step}: {card.inner_text()}"
            raise RuntimeError(msg)
    took.sort()
    return {
        "step": step,
        "redeploys": count,
        "card is live: median ms": median(took),
        "p90 ms": took[len(took) * 9 // 10],
        "least": took[0],
        "most": took[-1],
    }


def main() -> None:
    """Measure each step in one notebook."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else REDEPLOYS
    with jupyter_lab() as lab, lab_page(lab) as page:
        notebook = Notebook(page, lab)
        notebook.run(0, "%load_ext workbench")
        notebook.run(1, CELL.format(version=0, made_for=0))
        try:
            rows = [measure(page, notebook, step, count) for step in ("keep", "swap")]
        finally:
            notebook.run(2, "%serve shutdown")
    publish("card", rows, notes=f"{PAUSE_MS / 1000} s between redeploys.")


if __name__ == "__main__":
    main()
