"""Draws what user code raised in a replica, so that a reader finds it in their cells.

Text comes in as Python formats a traceback there; each place in it that is a cell's is
called by the cell's number and shown with the lines around it. `draw_error` is what
IPython shows of any error of ours, `readable` the same of a text without colours.
"""

import linecache
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb

import IPython
from IPython.core.interactiveshell import InteractiveShell

import workbench
from workbench.errors import RemoteError, WorkbenchError
from workbench.notebook.tracebacks import cell_label

__all__ = ["draw_error", "readable"]

_AROUND = 2
_HEADER = "Traceback (most recent call last):\n"
_LAST_CALLS = 8
# `  File "…", line 7, in f`, then, further in, its source and perhaps `^^^^` marks.
_PLACE = re.compile(
    r'^(?P<margin> *)File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?P<in>, in [^\n]*)?\n'
    r"(?P<below>(?:(?P=margin)  [^\n]*\n?)*)",
    re.MULTILINE,
)
_OURS = f"{Path(workbench.__file__).parent}/"
_IPYTHON = f"{Path(IPython.__file__).parent}/"


@dataclass(frozen=True, slots=True)
class _Paint:
    """Colours as IPython's, where the reader wants any."""

    is_on: bool

    def place(self, text: str) -> str:
        return self._in("32", text)

    def error(self, text: str) -> str:
        return self._in("31", text)

    def strong(self, text: str) -> str:
        return self._in("1", text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.is_on and text else text


def draw_error(shell: InteractiveShell, error: WorkbenchError) -> list[str]:
    """The lines that IPython shows of an error of ours."""
    paint = _Paint(str(getattr(shell, "colors", "")).lower() != "nocolor")
    called = "".join(_calls(shell, error))
    if isinstance(error, RemoteError) and error.remote_traceback:
        text = _in_cells(shell, f"{called}{_below_header(error.remote_traceback)}")
        return [_painted(text.rstrip("\n"), paint)]
    above = _painted(_in_cells(shell, called), paint)
    if _PLACE.search(error.message):
        text = _in_cells(shell, _without_header(error.message)).rstrip("\n")
        hint = f"\n  → {error.hint}" if error.hint else ""
        name = f"{paint.error(type(error).__name__)}: "
        return [f"{above}{name}{_painted(text, paint)}{hint}"]
    return [f"{above}{paint.error(type(error).__name__)}: {error}"]


def readable(shell: InteractiveShell, text: str) -> str:
    """A replica's traceback in a reader's words, without colours."""
    return _in_cells(shell, _without_header(text)).strip("\n")


def _calls(shell: InteractiveShell, error: BaseException) -> Iterator[str]:
    """Where the reader's own code called: places as Python writes them.

    Nothing where a magic called: that line is what the reader has just run.
    """
    places: list[str] = []
    for frame, line in walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if not places and cell_label(shell, file) is None:
            continue
        if file.startswith(_IPYTHON):
            return
        if file.startswith(_OURS):
            break
        source = linecache.getline(file, line, frame.f_globals).strip()
        name = frame.f_code.co_qualname
        places.append(f'  File "{file}", line {line}, in {name}\n    {source}\n')
    yield from places[-_LAST_CALLS:]


def _without_header(text: str) -> str:
    """What is left says by itself that it is a traceback."""
    text = text.replace(f" {_HEADER}", f"\n{_HEADER}")
    return _below_header(text)


def _below_header(text: str) -> str:
    return text.replace(_HEADER, "", 1) if text.count(_HEADER) == 1 else text


def _in_cells(shell: InteractiveShell, text: str) -> str:
    def drawn(found: re.Match[str]) -> str:
        label = cell_label(shell, found["file"])
        if label is None:
            return "" if found["file"].startswith(_OURS) else found[0]
        head = f"{label}, line {found['line']}{found['in'] or ''}\n"
        lines = _lines_around(found["file"], int(found["line"]), found["below"])
        return f"{head}{lines or found['below']}\n"

    text = _PLACE.sub(drawn, text)
    # Where Python's own form is left, its first line belongs to it.
    return f"{_HEADER}{text}" if text.startswith('  File "') else text


def _lines_around(file: str, line: int, below: str) -> str:
    """The cell's lines around this one, as IPython draws them.

    Nothing if the cell is not known here, or is another text than the replica had.
    """
    lines = linecache.getlines(file)
    said = below.strip().partition("\n")[0].strip()
    if not 0 < line <= len(lines) or lines[line - 1].strip() != said:
        return ""
    numbers = range(max(1, line - _AROUND), min(len(lines), line + _AROUND) + 1)
    return "".join(
        f"{f'----> {n}' if n == line else n:>9} {lines[n - 1].rstrip()}".rstrip() + "\n"
        for n in numbers
    )


def _painted(text: str, paint: _Paint) -> str:
    """Places green, the line that failed strong, the error at the end red."""
    rules: tuple[tuple[str, Callable[[str], str]], ...] = (
        (r"^Cell (?:In\[\d+\]|of an earlier session), line \d+", paint.place),
        (r"^ *----> \d+.*$", paint.strong),
        (r"^[A-Za-z_][\w.]*(?=: |$)(?!.*line \d)", paint.error),
    )
    for pattern, colour in rules:
        text = re.sub(
            pattern,
            lambda found, colour=colour: colour(found[0]),  # type: ignore[misc]
            text,
            flags=re.MULTILINE,
        )
    return text
