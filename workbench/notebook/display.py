"""Puts what there is to see into a cell's output, or on a terminal.

A `View` holds the same content twice, as HTML and as plain text: whatever shows the
notebook takes what it can. `card_view`, `status_view` and `answer_view` make views.
"""

import re
from dataclasses import dataclass
from html import escape
from typing import Protocol
from uuid import uuid4

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display, update_display

__all__ = [
    "NotebookScreen",
    "Screen",
    "TerminalScreen",
    "View",
    "duration",
    "framed",
    "mark",
    "prose",
    "screen_for",
    "show",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One thing to look at."""

    line: str
    """The gist, in one line."""
    text: str
    html: str

    @property
    def bundle(self) -> dict[str, str]:
        """As Jupyter wants it."""
        return {"text/plain": self.text, "text/html": self.html}


def show(view: View) -> None:
    """Show something that will not change."""
    display(view.bundle, raw=True)  # type: ignore[no-untyped-call]


class Screen(Protocol):
    """A place that shows one view after another, each in place of the last."""

    def update(self, view: View, *, is_last: bool) -> None:
        """Show `view` now."""


class NotebookScreen:
    """One output of a cell that changes in place, also after the cell has ended."""

    def __init__(self) -> None:
        self._id: str | None = None

    def update(self, view: View, *, is_last: bool) -> None:  # noqa: ARG002
        """Show `view` in place of what was there."""
        if self._id is None:
            self._id = uuid4().hex
            display(view.bundle, raw=True, display_id=self._id)  # type: ignore[no-untyped-call]
        else:
            update_display(view.bundle, raw=True, display_id=self._id)  # type: ignore[no-untyped-call]


class TerminalScreen:
    """Lines that stay: the gist whenever it changes, the whole at the end."""

    def __init__(self) -> None:
        self._line = ""

    def update(self, view: View, *, is_last: bool) -> None:
        """Print what is new."""
        if is_last:
            print(view.text)  # noqa: T201 - a terminal's way to show
        elif view.line != self._line:
            self._line = view.line
            print(view.line)  # noqa: T201


def screen_for(shell: InteractiveShell) -> Screen:
    """The screen that this shell has."""
    return NotebookScreen() if hasattr(shell, "kernel") else TerminalScreen()


def duration(seconds: float) -> str:
    """A time as people say it: `12 ms`, `1.3 s`, `2 min 5 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def prose(text: str) -> str:
    """Text of ours or of the user's as HTML; `code` in backquotes."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def mark(kind: str) -> str:
    """A state's sign: colour and form, so that either alone is enough."""
    return f'<span class="wb-mark wb-{kind}" aria-hidden="true">{MARKS[kind]}</span>'


def framed(*parts: str) -> str:
    """The frame around every view of ours, with its style sheet."""
    return f'<div class="wb">{_STYLE}{"".join(parts)}</div>'


MARKS = {"good": "●", "busy": "◐", "bad": "✕", "idle": "○"}

# JupyterLab's and VS Code's colours where they exist, so that both themes are met;
# elsewhere the page's own text colour and greys that read on white and on black. The
# three signal colours are told apart by people who see no red, green or blue
# (after Okabe and Ito's palette), and have 3:1 contrast or more on white and on black.
# Class names are doubled to win over JupyterLab's rules for tables in outputs.
_STYLE = """<style>
.wb.wb { --wb-line: var(--jp-border-color2, var(--vscode-panel-border, #8885));
  --wb-soft: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #808080));
  --wb-code: var(--jp-code-font-family, ui-monospace, monospace);
  border: 1px solid var(--wb-line); border-radius: 4px; padding: 8px 12px;
  margin: 2px 0; max-width: 880px; box-sizing: border-box; overflow-x: auto;
  color: var(--jp-ui-font-color1, var(--vscode-foreground, inherit));
  font: 13px/1.5 var(--jp-ui-font-family, system-ui, sans-serif); }
.wb.wb.wb.wb :is(code, pre) { font: 12px/1.5 var(--wb-code); background: none;
  color: inherit; padding: 0; margin: 0; border: 0; white-space: pre-wrap; }
.wb.wb a { color: var(--jp-content-link-color, var(--vscode-textLink-foreground,
  #2f86c7)); text-decoration: none; }
.wb.wb a:hover { text-decoration: underline; }
.wb-head { display: flex; flex-wrap: wrap; gap: 0 10px; align-items: baseline; }
.wb-name { font-weight: 600; }
.wb-soft { color: var(--wb-soft); }
.wb-right { margin-left: auto; color: var(--wb-soft); }
.wb-mark { margin-right: 6px; font-size: 12px; }
.wb-good { color: #009e73; } .wb-busy { color: #2f86c7; }
.wb-bad { color: #d55e00; font-weight: 700; } .wb-idle { color: var(--wb-soft); }
.wb-busy { display: inline-block; animation: wb-turn 1.6s linear infinite; }
@keyframes wb-turn { to { transform: rotate(360deg); } }
@media (prefers-reduced-motion: reduce) { .wb-busy { animation: none; } }
.wb.wb .wb-table.wb-table { border-collapse: collapse; margin: 6px 0 0; width: 100%;
  font-size: 13px; table-layout: auto; color: inherit; }
.wb.wb .wb-table.wb-table :is(td, th) { text-align: left; vertical-align: baseline;
  padding: 3px 16px 3px 0; border: 0; background: none; white-space: normal;
  max-width: none; color: inherit; }
.wb.wb .wb-table.wb-table tr { background: none; }
.wb.wb .wb-table.wb-table th { font-weight: 400; color: var(--wb-soft); }
.wb.wb .wb-table.wb-table .wb-rule > * { border-top: 1px solid var(--wb-line); }
.wb-step { border: 1px solid var(--wb-line); border-radius: 9px; padding: 0 8px;
  font-size: 12px; white-space: nowrap; }
.wb.wb .wb-steps td { white-space: nowrap !important; }
.wb.wb .wb-steps td:nth-child(3) { width: 100%; white-space: normal !important; }
.wb.wb .wb-steps td:last-child { padding-right: 0 !important; }
.wb.wb .wb-steps.wb-table .wb-way td { font-size: 12px; padding-top: 0;
  font-variant-numeric: tabular-nums; white-space: normal !important; }
.wb.wb .wb-steps.wb-table .wb-way td:first-child { padding-left: 14px;
  font-family: var(--wb-code); }
.wb-call { display: grid; grid-template-columns: max-content 1fr; gap: 1px 16px;
  margin-top: 6px; padding-top: 6px; border-top: 1px solid var(--wb-line); }
.wb-call > code { user-select: all; }
.wb.wb.wb.wb .wb-note { margin-top: 6px; }
.wb-trace { border-left: 2px solid #d55e00 !important; padding-left: 10px !important; }
.wb-warn { color: #b07500; }
.wb-log { max-height: 24em; overflow: auto; margin-top: 6px;
  border-top: 1px solid var(--wb-line); overflow-anchor: none;
  display: flex; flex-direction: column-reverse; }
.wb.wb .wb-log > table { border-collapse: collapse; margin: 0; width: 100%;
  font: 12px/1.5 var(--wb-code); color: inherit; table-layout: auto; }
.wb.wb .wb-log td { text-align: left; vertical-align: baseline; white-space: nowrap;
  padding: 0 12px 0 0; border: 0; background: none; max-width: none; }
.wb.wb .wb-log td:last-child { width: 100%; padding: 0; }
.wb.wb .wb-log tr { background: none; }
</style>"""
