"""Draws records of which each is a row; `versions_view` and `explanation_view` say what."""

from collections.abc import Callable
from html import escape
from typing import TypeVar

from workbench.notebook.display import prose
from workbench.record_table import RecordTable

__all__ = ["table_of"]

Record = TypeVar("Record")


def table_of(records: RecordTable[Record], lead: Callable[[Record, str], str]) -> str:
    """The table in HTML; `lead` draws the first cell of a record from its text."""

    def row(record: Record, cells: tuple[str, ...]) -> str:
        first, *others = cells
        rest = "".join(f"<td>{prose(cell)}</td>" for cell in others)
        return f'<tr class="wb-rule"><td>{lead(record, first)}</td>{rest}</tr>'

    titles, *rows = records.rows
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(map(row, records, rows))
    return f'<table class="wb-table"><tr>{head}</tr>{body}</table>'
