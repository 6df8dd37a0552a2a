"""Chromium without a window, and JupyterLab's page in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests.ui.lab import Lab

__all__ = [
    "MISSING",
    "Theme",
    "chromium",
    "close_lab",
    "executable",
    "keep_picture",
    "lab_page",
    "open_lab",
    "set_theme",
    "wait_until_ready",
]

MISSING = "needs Chromium; on Debian and Ubuntu: apt-get install chromium"
Theme = Literal["JupyterLab Light", "JupyterLab Dark"]

_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
_PATIENCE_MS = 60_000
# An async predicate in `wait_for_function` counts as true at once.
_RESTORED = "async () => { await window.jupyterapp.restored }"
_CLOSE = """async () => {
  const { shell, serviceManager } = window.jupyterapp;
  for (const widget of Array.from(shell.widgets('main'))) {
    // One that is closed while its kernel starts leaves an error behind.
    await widget.sessionContext?.ready;
    await widget.context?.save();
    widget.close();
  }
  await serviceManager.sessions.shutdownAll();
}"""
_THEME = """async name => {
  await window.jupyterapp.commands.execute('apputils:change-theme', { theme: name });
}"""


def executable() -> str | None:
    """Where Chromium is, if it is anywhere."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser. While the block runs, this thread can run no asyncio loop."""
    path = executable()
    if path is None:
        raise SystemExit(f"This {MISSING}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGS)
        try:
            yield browser
        finally:
            browser.close()


def open_lab(browser: Browser, lab: Lab, workspace: str, **options: int) -> Page:
    """A page of its own context, in a fresh workspace."""
    width, height = options.get("width", 1280), options.get("height", 900)
    context = browser.new_context(
        viewport={"width": width, "height": height},
        base_url=lab.url,
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()
    page.goto(f"lab/workspaces/{workspace}?token={lab.token}&reset")
    wait_until_ready(page)
    # A fresh workspace shows the launcher, which takes the focus: late.
    page.wait_for_function("document.activeElement.closest('.jp-Launcher')")
    return page


def wait_until_ready(page: Page) -> None:
    """Until JupyterLab has laid itself out; its splash is gone seconds earlier."""
    page.wait_for_function("window.jupyterapp")
    page.evaluate(_RESTORED)


def close_lab(page: Page) -> None:
    """Close what is open, and end its kernels."""
    page.evaluate(_CLOSE)
    page.context.close()


@contextmanager
def lab_page(lab: Lab, *, width: int = 1280) -> Iterator[Page]:
    """JupyterLab in a browser of its own; its kernels end with the block."""
    with chromium() as browser:
        page = open_lab(browser, lab, "only", width=width)
        try:
            yield page
        finally:
            close_lab(page)


def set_theme(page: Page, theme: Theme) -> None:
    """Light or dark; a setting, so whoever changes it sets it back."""
    page.evaluate(_THEME, theme)
    page.wait_for_function(
        "name => document.body.dataset.jpThemeName === name", arg=theme
    )


def keep_picture(page: Page, folder: Path, name: str) -> None:
    """What the page looks like now, to be looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
