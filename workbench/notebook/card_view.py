"""Draws a deploy's card."""

from html import escape
from urllib.parse import urlsplit

from workbench.notebook.card import Card, Phase, Row
from workbench.notebook.display import MARKS, View, duration, framed, mark, prose

__all__ = ["card_view"]

_KIND = {
    Phase.CONNECTING: "busy",
    Phase.DEPLOYING: "busy",
    Phase.LIVE: "good",
    Phase.FAILED: "bad",
    Phase.LEFT: "idle",
}


def card_view(card: Card) -> View:
    """The card as text and as HTML."""
    return View(line=_line(card), text=_text(card), html=_html(card))


def _line(card: Card) -> str:
    steps = card.rows if card.phase is Phase.DEPLOYING else ()
    said = [f"{row.name}: {row.step or row.state}" for row in steps]
    return " · ".join([_headline(card), *said])


def _headline(card: Card) -> str:
    said = [card.name, str(card.phase), _progress(card), card.url or "", _took(card)]
    return f"{MARKS[_KIND[card.phase]]} {' · '.join(filter(None, said))}"


def _text(card: Card) -> str:
    rows = [_row_text(row) for row in card.rows]
    calls = [f"  {label:<7} {code}" for label, code in _calls(card)]
    notes = [f"  {note}" for note in card.notes]
    return "\n".join([_headline(card), *rows, *calls, *notes])


def _row_text(row: Row) -> str:
    step = f"{row.step}: {row.reason}" if row.reason else str(row.step or "")
    said = [row.name, step, row.state]
    return f"  {' · '.join(filter(None, said))}"


def _html(card: Card) -> str:
    head = (
        f'<div class="wb-head"><span>{mark(_KIND[card.phase])}'
        f'<span class="wb-name">{escape(card.name)}</span></span>'
        f"<span>{escape(card.phase)}</span>"
        f'{_link(card.url)}<span class="wb-soft">{escape(_progress(card))}</span>'
        f'<span class="wb-right">{_took(card)}</span></div>'
    )
    rows = "".join(_row_html(row) for row in card.rows)
    table = f'<table class="wb-table wb-steps">{rows}</table>' if rows else ""
    calls = "".join(
        f'<span class="wb-soft">{label}</span><code>{escape(code)}</code>'
        for label, code in _calls(card)
    )
    notes = "".join(f'<div class="wb-note">{prose(note)}</div>' for note in card.notes)
    return framed(
        head, table, f'<div class="wb-call">{calls}</div>' if calls else "", notes
    )


def _row_html(row: Row) -> str:
    step = f'<span class="wb-step">{row.step}</span>' if row.step else ""
    return (
        f"<tr><td>{escape(row.name)}</td><td>{step}</td><td>{prose(row.reason)}</td>"
        f'<td class="wb-soft">{row.state}</td></tr>'
    )


def _link(url: str | None) -> str:
    if url is None:
        return ""
    return f'<a href="{escape(url)}" target="_blank">{escape(url)}</a>'


def _progress(card: Card) -> str:
    return card.progress if card.phase is Phase.CONNECTING else ""


def _took(card: Card) -> str:
    return "" if card.took_s is None else duration(card.took_s)


def _calls(card: Card) -> list[tuple[str, str]]:
    """Ways to call what is live: a label, and what to write."""
    if card.phase is not Phase.LIVE:
        return []
    calls = []
    if card.url is not None and card.answers_http:
        path = urlsplit(card.url).path or "/"
        calls += [("shell", f"curl {card.url}"), ("cell", f"%serve query {path}")]
        if card.docs_path:
            calls.append(("docs", card.url.rstrip("/") + card.docs_path))
    if card.by_handle:
        calls.append(("handle", f"{card.by_handle}.result()"))
    return calls
