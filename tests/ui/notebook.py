"""One open notebook, driven as a user does: click, type, Shift+Enter."""

import re
import secrets
from typing import Self

import nbformat
from playwright.sync_api import Locator, Page, expect

from tests.ui.lab import Lab

__all__ = ["Notebook"]

_CELL_MS = 120_000
# The execution indicator says 'idle' before there is a kernel, and a cell that is run
# then is dropped without a word: so ask the application.
_OPEN = """async path => {
  const { shell, commands } = window.jupyterapp;
  const isIt = it => it.context?.path === path;
  // Notebook 7 has it open, and would open another tab of the browser.
  const panel = Array.from(shell.widgets('main')).find(isIt) ??
    await commands.execute('docmanager:open', { path, factory: 'Notebook' });
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
}"""
_CLOSE = """async path => {
  const panels = Array.from(window.jupyterapp.shell.widgets('main'));
  const panel = panels.find(it => it.context?.path === path);
  await panel.context.save();
  panel.close();
}"""


class Notebook:
    """A new notebook with one empty cell and a kernel that is ready."""

    def __init__(
        self,
        page: Page,
        lab: Lab,
        *,
        name: str | None = None,
        cells: tuple[str, ...] = ("",),
    ) -> None:
        path = name or f"{secrets.token_hex(4)}.ipynb"
        self.write_file(lab, path, cells=cells)
        self._adopt(page, path)

    @classmethod
    def opened(cls, page: Page, path: str) -> Self:
        """One that is there already; opened, if it is not."""
        self = cls.__new__(cls)
        self._adopt(page, path)
        return self

    @staticmethod
    def write_file(
        lab: Lab, path: str, *, kernel: str = "python3", cells: tuple[str, ...] = ("",)
    ) -> None:
        """Put a notebook where the server finds it."""
        book = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": kernel, "display_name": kernel}},
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        )
        nbformat.write(book, lab.folder / path)

    def _adopt(self, page: Page, path: str) -> None:
        self.page = page
        self.path = path
        self.root = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        page.evaluate(_OPEN, path)
        self.cell(0).wait_for()

    def cell(self, index: int) -> Locator:
        """A cell by its place."""
        return self.root.locator(".jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        """What a cell shows."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def write(self, index: int, source: str) -> None:
        """Put text into a cell."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        # One input event: no auto-indent, no auto-closed brackets.
        self.page.keyboard.insert_text(source)

    def run(self, index: int, source: str, *, waits: bool = True) -> Locator:
        """Run one cell; its outputs, once it has ended."""
        self.write(index, source)
        prompt = self.cell(index).locator(".jp-InputArea-prompt")
        old = re.escape(prompt.inner_text())
        self.page.keyboard.press("Shift+Enter")
        if waits:
            ended = re.compile(rf"^(?!{old}$)\[\d+\]:$")
            expect(prompt).to_have_text(ended, timeout=_CELL_MS)
        return self.output(index)

    def sources(self) -> list[str]:
        """The texts of all cells."""
        return self.page.evaluate(
            "path => Array.from(window.jupyterapp.shell.widgets('main'))"
            ".find(it => it.context?.path === path)"
            ".content.widgets.map(cell => cell.model.sharedModel.source)",
            self.path,
        )

    def close(self) -> None:
        """Save it and close its tab; its kernel goes on."""
        self.page.evaluate(_CLOSE, self.path)
        self.root.wait_for(state="detached")
