"""Draws what replicas said: a bounded list that scrolls in itself."""

from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape

from workbench.notebook.display import View, framed, prose
from workbench.spec.logs import ACCESS, LogQuery, LogRecord

__all__ = ["log_line", "logs_view"]

_BAD = frozenset({"ERROR", "CRITICAL"})
_LONGEST = 20_000
_KINDS = {"WARNING": "wb-warn", "ERROR": "wb-bad", "CRITICAL": "wb-bad"}


def logs_view(
    records: Sequence[LogRecord],
    query: LogQuery,
    dropped: int = 0,
    *,
    readable: Callable[[str], str] = str,
    note: str = "",
) -> View:
    """The records, oldest first; `readable` puts tracebacks into a reader's words."""
    gist = _gist(records, query)
    notes = [note] if note else []
    if dropped:
        notes.append(f"{dropped} older records were dropped for want of room.")
    if not records:
        notes.append(_why_empty(query))
    shows_app = len({each.app for each in records}) > 1
    shown = [(each, _cut(readable(each.text.rstrip("\n")))) for each in records]
    lines = [_line(each, text, shows_app=shows_app) for each, text in shown]
    rows = "".join(_row(each, text, shows_app=shows_app) for each, text in shown)
    return View(
        line=gist,
        text="\n".join([gist, *(f"  {each}" for each in notes), *lines]),
        html=framed(
            f'<div class="wb-head"><span class="wb-name">{escape(gist)}</span></div>',
            f'<div class="wb-log" tabindex="0"><table>{rows}</table></div>'
            if rows
            else "",
            *(f'<div class="wb-note wb-soft">{prose(each)}</div>' for each in notes),
        ),
    )


def _gist(records: Sequence[LogRecord], query: LogQuery) -> str:
    count = len(records)
    of = [
        f"{name} {value}"
        for name, value in (
            ("application", query.app),
            ("deployment", query.deployment),
            ("replica", query.replica),
            ("request", query.request_id),
            ("from", query.level),
            ("by", query.source),
            ("with", query.contains and f"“{query.contains}”"),
        )
        if value
    ]
    said = f"Logs · {count} record{'' if count == 1 else 's'}"
    return " · ".join([said, *of])


def _why_empty(query: LogQuery) -> str:
    if query.request_id:
        return (
            "Nothing was said about this request: its id is the header "
            "`x-request-id` of its answer, and old records are forgotten."
        )
    if query.source == ACCESS:
        return "No request has ended yet, or their logging is off (enable_access_log)."
    if any(
        (query.deployment, query.replica, query.level, query.source, query.contains)
    ):
        return "Nothing was said that these filters let pass."
    return "Nothing was said yet. What your code prints and logs will stand here."


def log_line(record: LogRecord, readable: Callable[[str], str]) -> str:
    """One record as a terminal shows it."""
    return _line(record, _cut(readable(record.text.rstrip("\n"))), shows_app=True)


def _line(record: LogRecord, text: str, *, shows_app: bool) -> str:
    head = f"{_time(record)} {record.level:<8} {_who(record, shows_app=shows_app)}  "
    return head + text.replace("\n", "\n    ")


def _row(record: LogRecord, text: str, *, shows_app: bool) -> str:
    kind = _KINDS.get(record.level, "wb-soft")
    title = f"{record.source} · request {record.request_id or '–'}"
    return (
        f'<tr><td class="wb-soft">{_time(record)}</td>'
        f'<td class="{kind}">{escape(record.level)}</td>'
        f'<td class="wb-soft" title="{escape(title)}">'
        f"{escape(_who(record, shows_app=shows_app))}</td>"
        f"<td><pre>{escape(text)}</pre></td></tr>"
    )


def _who(record: LogRecord, *, shows_app: bool) -> str:
    app = f"{record.app}/" if shows_app else ""
    return f"{app}{record.deployment} {record.replica}".strip()


def _time(record: LogRecord) -> str:
    # In the reader's own time zone, as in every other output of theirs.
    return datetime.fromtimestamp(record.at_s).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n… {len(text) - _LONGEST} more characters"
