"""What a live panel costs: the kernel that feeds it, the browser that draws it.

A real JupyterLab in Chromium, one deployment of two replicas under steady light load,
and a panel in view, hidden, and gone. `python -m tests.bench.panel`

The kernel's share is CPU time; the browser's is the time that the page's main thread
was busy, as Chromium counts it. Both are shares of one core. `added` is what the panel
adds to the same page and kernel without it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil
from playwright.sync_api import CDPSession, Page

from tests.bench.report import publish
from tests.ui.browser import lab_page
from tests.ui.lab import jupyter_lab
from tests.ui.notebook import Notebook

SECONDS = 30
FULL_S = 300
"""Until the charts are as full as they get."""
CLIENTS = 4
PAUSE_S = 0.05
APPLICATION = """%%serve
from workbench import serve

@serve.deployment(num_replicas=2)
class Echo:
    async def __call__(self, request):
        return await request.json()
"""
# Braces: what a command gives back cannot travel here.
_OTHER_TAB = "async () => { await jupyterapp.commands.execute('launcher:create') }"
_FIRST_TAB = """() => {
  const [first] = jupyterapp.shell.widgets('main');
  jupyterapp.shell.activateById(first.id);
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Of one core."""

    kernel: float
    browser: float
    script: float
    """The part of the browser's in which JavaScript ran."""


class Meter:
    """Reads both over the same time."""

    def __init__(self, page: Page, kernel_pid: int) -> None:
        self._page = page
        self._kernel = psutil.Process(kernel_pid)
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        # CPU time of its thread: on a machine that others use too, time passes anyway.
        self._cdp.send("Performance.enable", {"timeDomain": "threadTicks"})

    def shares(self) -> Shares:
        """Over the next seconds."""
        before = self._read()
        self._page.wait_for_timeout(SECONDS * 1000)
        after = self._read()
        took_s = after["Timestamp"] - before["Timestamp"]

        def share(name: str) -> float:
            return (after[name] - before[name]) / took_s

        return Shares(
            kernel=share("Kernel"),
            browser=share("TaskDuration"),
            script=share("ScriptDuration"),
        )

    def _read(self) -> dict[str, float]:
        metrics = self._cdp.send("Performance.getMetrics")["metrics"]
        times = self._kernel.cpu_times()
        found = {metric["name"]: float(metric["value"]) for metric in metrics}
        return {**found, "Kernel": times.user + times.system}


@contextmanager
def load(url: str) -> Iterator[None]:
    """A few clients that call and pause, until the block ends."""
    done = threading.Event()

    def call() -> None:
        with httpx.Client(trust_env=False) as client:
            while not done.wait(PAUSE_S):
                client.post(url, json=[1, 2, 3])

    clients = [threading.Thread(target=call) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        done.set()
        for client in clients:
            client.join()


def measure() -> dict[str, Shares]:
    """The shares without a panel, with one in view, and with one that is hidden."""
    with jupyter_lab() as lab, lab_page(lab) as page:
        notebook = Notebook(page, lab)
        notebook.run(0, "%load_ext workbench")
        notebook.run(1, APPLICATION)
        try:
            address = "print(serve.status().applications['default'].url)"
            url = notebook.run(2, address).inner_text().strip()
            pid = int(notebook.run(3, "import os; print(os.getpid())").inner_text())
            with load(url):
                return _measure(page, notebook, Meter(page, pid))
        finally:
            notebook.run(6, "%serve shutdown")


def _measure(page: Page, notebook: Notebook, meter: Meter) -> dict[str, Shares]:
    without = meter.shares()
    notebook.run(4, "panel = serve.panel()\npanel")
    panel = notebook.output(4).locator(".wb-panel")
    panel.evaluate("element => element.scrollIntoView({block: 'start'})")
    panel.locator("[data-chart=latency] canvas").wait_for()
    page.wait_for_timeout(FULL_S * 1000)
    shown = meter.shares()
    page.evaluate(_OTHER_TAB)
    page.wait_for_timeout(5000)
    hidden = meter.shares()
    page.evaluate(_FIRST_TAB)
    notebook.run(5, "panel.close()")
    return {"no panel": without, "in view": shown, "hidden": hidden}


def main() -> None:
    """Print and keep the shares."""
    found = measure()
    base = found["no panel"]
    rows = [
        {
            "panel": name,
            "kernel, % of a core": 100 * shares.kernel,
            "added by the panel": 100 * (shares.kernel - base.kernel),
            "browser, % of a core": 100 * shares.browser,
            "added by it": 100 * (shares.browser - base.browser),
            "of it JavaScript": 100 * (shares.script - base.script),
        }
        for name, shares in found.items()
    ]
    publish("panel", rows)


if __name__ == "__main__":
    main()
