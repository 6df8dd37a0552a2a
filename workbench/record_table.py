"""Records that are a table when shown: text in a terminal, HTML in a notebook.

`versions` and `explanation` say what the records are and how one becomes a row.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from html import escape
from typing import ClassVar, TypeVar, overload

__all__ = ["RecordTable"]

Record = TypeVar("Record")


class RecordTable(Sequence[Record]):
    """Records of one application, in the order in which they are shown."""

    titles: ClassVar[tuple[str, ...]]

    def __init__(self, app: str, records: Sequence[Record]) -> None:
        self.app = app
        self._records = tuple(records)

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | Sequence[Record]:
        return self._records[index]

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    @abstractmethod
    def row(self, record: Record) -> tuple[str, ...]:
        """A record's cells, one below each title."""

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The titles, and the table's cells below them."""
        return [self.titles, *map(self.row, self._records)]

    @property
    def lines(self) -> list[str]:
        """The table in text."""
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in self.rows]

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        titles, *rows = self.rows
        head = "".join(f"<th>{escape(title)}</th>" for title in titles)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            for row in rows
        )
        return f'<table class="wb-table"><tr>{head}</tr>{body}</table>'
