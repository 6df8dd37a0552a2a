"""One JupyterLab and one browser for all tests here; a page and a workspace for each.

These tests run last: while Playwright's synchronous API lives, no other loop can run in
its thread.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.sidebar.fake_instance import FakeInstance
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

_PICTURES = Path(__file__).parents[2] / "artifacts" / "ui"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if executable() is None:
        pytest.skip(MISSING)
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def lab(browser) -> Iterator[Lab]:
    with jupyter_lab() as found:
        yield found


@pytest.fixture
def open_page(browser, lab, request) -> Iterator[Callable[..., Page]]:
    """Open JupyterLab, as often as a test likes; errors of the pages fail the test."""
    pages: list[Page] = []
    errors: list[str] = []
    name = re.sub(r"\W+", "-", request.node.name)

    def open_one(**options: int) -> Page:
        page = open_lab(browser, lab, f"{name}-{len(pages)}", **options)
        page.on("pageerror", lambda error: errors.append(str(error)))
        pages.append(page)
        return page

    yield open_one
    for page in pages:
        close_lab(page)
    assert not errors


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
def announce(lab) -> Iterator[Callable[[FakeInstance], FakeInstance]]:
    """Let the server find a fake instance, until the test ends."""
    with ExitStack() as stack:

        def write(fake: FakeInstance, token: str | None = None) -> FakeInstance:
            stack.enter_context(announced(fake, lab.runtime_dir, token))
            return fake

        yield write


@pytest.fixture
def fake() -> Iterator[FakeInstance]:
    """A real control API with nothing behind it."""
    with FakeInstance() as made:
        yield made
