"""One JupyterLab and one browser for all tests here; a page and a workspace for each.

These tests run last: while Playwright's synchronous API lives, no other loop can run in
its thread.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ui.announced import announced
from tests.ui.browser import (
    MISSING,
    chromium,
    close_lab,
    executable,
    keep_picture,
    open_lab,
)
from tests.ui.lab import Lab, jupyter_lab
from tests.ui.sidebar import Sidebar
from tests.ui.stage import StagedInstance

# Generous: the machine may be busy with something else.
_PATIENCE_MS = 30_000
# What JupyterLab itself does not catch when a page with a kernel is left or reloaded.
_JUPYTERLABS_OWN = ("Error: Canceled future for ", "Disposed")
_PICTURES = Path(__file__).parents[2] / "artifacts" / "ui"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if executable() is None:
        pytest.skip(MISSING)
    expect.set_options(timeout=_PATIENCE_MS)
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def lab(browser) -> Iterator[Lab]:
    with jupyter_lab() as found:
        yield found


@pytest.fixture
def page_errors() -> Iterator[list[str]]:
    """What no page has caught; a test fails if anything is left here."""
    errors: list[str] = []
    yield errors
    assert not [error for error in errors if not error.startswith(_JUPYTERLABS_OWN)]


@pytest.fixture
def open_page(browser, lab, request, page_errors) -> Iterator[Callable[..., Page]]:
    """Open JupyterLab, as often as a test likes."""
    pages: list[Page] = []
    name = re.sub(r"\W+", "-", request.node.name)

    def open_one(**options: int) -> Page:
        page = open_lab(browser, lab, f"{name}-{len(pages)}", **options)
        page.on("pageerror", lambda error: page_errors.append(str(error)))
        pages.append(page)
        return page

    yield open_one
    for page in pages:
        close_lab(page)


@pytest.fixture
def page(open_page) -> Page:
    return open_page()


@pytest.fixture
def sidebar(page) -> Sidebar:
    return Sidebar(page).show()


@pytest.fixture
def picture(request) -> Callable[..., None]:
    """Keep what the page looks like, under the test's name."""

    def keep(page: Page, name: str = "") -> None:
        test = request.node.name.removeprefix("test_")
        keep_picture(page, _PICTURES, f"{test} {name}".strip().replace(" ", "-"))

    return keep


@pytest.fixture
def announce(lab) -> Iterator[Callable[..., StagedInstance]]:
    """Let the server find an instance that is not real, until the test ends."""
    with ExitStack() as stack:

        def write(staged: StagedInstance, token: str | None = None) -> StagedInstance:
            stack.enter_context(announced(staged, lab.runtime_dir, token))
            return staged

        yield write


@pytest.fixture
def unknown() -> Iterator[StagedInstance]:
    """An instance that nobody was told of."""
    with StagedInstance("elsewhere") as made:
        yield made


@pytest.fixture
def staged(announce) -> Iterator[StagedInstance]:
    """An instance that the server finds; it shows what a test wants."""
    with StagedInstance() as made:
        yield announce(made)
