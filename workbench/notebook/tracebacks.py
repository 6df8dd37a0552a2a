"""What a reader sees when a cell fails: their own frames, never ours.

Called by `cells` and `magics`. IPython asks an exception for `_render_traceback_`
before it draws one itself; the exception stays the user's own, so `%debug` and
`sys.last_value` work as in any cell. `replica_errors` draws what came from a replica.
"""

import re
from types import TracebackType

from IPython.core.interactiveshell import InteractiveShell

__all__ = ["CellSyntaxError", "cell_label", "name_cells", "show_from", "show_only"]

_LINE_OF_FILE = re.compile(r'File "([^"]+)", line')
# Names that IPython and ipykernel give to cells; of these, another session's.
_A_CELL = re.compile(r"<ipython-input-\d+-[0-9a-f]+>|.*[/\\]ipykernel_\d+[/\\]\d+\.py")


class CellSyntaxError(Exception):
    """A cell that is no Python; drawn as IPython draws a SyntaxError, without frames.

    A plain SyntaxError raised in a magic would be drawn with every frame below it.
    """

    def __init__(self, shell: InteractiveShell, error: SyntaxError) -> None:
        super().__init__(str(error))
        self._shell = shell
        self._error = error

    def _render_traceback_(self) -> list[str]:
        drawn = self._shell.SyntaxTB.structured_traceback(
            type(self._error), self._error, None
        )
        return list(drawn)


def show_from(shell: InteractiveShell, error: BaseException, filename: str) -> None:
    """Draw `error` from the first frame that runs code of `filename`."""
    first = error.__traceback__
    while first is not None and first.tb_frame.f_code.co_filename != filename:
        first = first.tb_next
    if first is not None:
        _attach(error, lambda: _draw(shell, error, first))


def cell_label(shell: InteractiveShell, filename: str) -> str | None:
    """What the reader calls the cell of that file name; None if it is no cell.

    A replica knows a cell by the file name that the kernel gave it, which says nothing
    to a reader: `/tmp/ipykernel_71/9.py` is `Cell In[3]`.
    """
    label = shell.compile.format_code_name(filename)
    if label is not None:
        return " ".join(label)
    return "Cell of an earlier session" if _A_CELL.fullmatch(filename) else None


def name_cells(shell: InteractiveShell, text: str) -> str:
    """A traceback's text with this notebook's cells called by their numbers."""

    def named(found: re.Match[str]) -> str:
        label = cell_label(shell, found[1])
        return found[0] if label is None else f"{label}, line"

    return _LINE_OF_FILE.sub(named, text)


def show_only(error: BaseException, text: str) -> None:
    """Draw `error` as one line of text."""
    _attach(error, lambda: [f"{type(error).__name__}: {text}"])


def _draw(
    shell: InteractiveShell, error: BaseException, first: TracebackType
) -> list[str]:
    drawn = shell.InteractiveTB.structured_traceback(type(error), error, first)
    return list(drawn)


def _attach(error: BaseException, render: object) -> None:
    # On the instance: every exception has a __dict__, and its class is the user's.
    error._render_traceback_ = render  # type: ignore[attr-defined]
