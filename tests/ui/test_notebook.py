"""The proof in a notebook: a cell becomes a service, is watched, and changed."""

import re

import pytest
from playwright.sync_api import expect

from tests.ui.callers import SteadyCaller
from tests.ui.notebook import Notebook

CELL = """%%serve
from workbench import serve

@serve.deployment(num_replicas=2)
class Version:
    async def __call__(self, request):
        return {version}"""
_LIVE_MS = 120_000
_P50 = "[data-chart=latency] .wb-key:has-text('p50') .wb-value"


@pytest.fixture
def notebook(page, lab):
    found = Notebook(page, lab)
    found.run(0, "%load_ext workbench")
    yield found
    found.run(1, "%serve shutdown")


def test_a_cell_is_served_watched_and_changed_without_a_lost_request(notebook, picture):
    page = notebook.page
    card = notebook.run(1, CELL.format(version=1))
    expect(card).to_contain_text("live", timeout=_LIVE_MS)
    expect(card).to_contain_text("healthy")
    picture(page, "card")
    url = card.get_by_role("link").first.inner_text()

    panel = notebook.run(2, "%serve panel").locator(".wb-panel")
    panel.scroll_into_view_if_needed()
    expect(panel).to_contain_text("No request in the last 5 minutes.")
    with SteadyCaller(url) as caller:
        p50 = panel.locator(_P50)
        expect(p50).to_have_text(re.compile(r"\d"))
        before = page.evaluate(TRACE)
        page.wait_for_function(
            f"before => JSON.stringify(({TRACE})()) !== JSON.stringify(before)",
            arg=before,
        )
        picture(page, "panel")

        notebook.run(1, CELL.format(version=2))
        expect(card).to_contain_text("keep", timeout=_LIVE_MS)
        caller.wait_for("2")
    assert caller.failures == []
    assert caller.answers == {"1", "2"}


# The numbers that the chart draws: what uPlot was given, not pixels.
TRACE = """() => {
  const plots = document.querySelectorAll('.wb-panel [data-chart=latency] .wb-plot');
  return [...plots].map(node => node.uPlot.data.map(line => line.slice(-3)));
}"""
