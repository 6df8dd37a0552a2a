"""Draws a deploy's card."""

from html import escape
from urllib.parse import urlsplit

from workbench.notebook.card import Card, Phase, Row, Track
from workbench.notebook.display import MARKS, View, duration, framed, mark, prose
from workbench.spec.status import ReplicaState

__all__ = ["card_view"]

_KIND = {
    Phase.CONNECTING: "busy",
    Phase.SHIPPING: "busy",
    Phase.DEPLOYING: "busy",
    Phase.LIVE: "good",
    Phase.FAILED: "bad",
    Phase.LEFT: "idle",
}
# Replicas whose way is shown; the rest are counted.
_SHOWN = 8
_HEALTHY = "healthy"


def card_view(card: Card) -> View:
    """The card as text and as HTML."""
    return View(line=_line(card), text=_text(card), html=_html(card))


def _line(card: Card) -> str:
    steps = card.rows if card.phase is Phase.DEPLOYING else ()
    said = [f"{row.name}: {row.step or row.state}" for row in steps]
    return " · ".join([_headline(card), *said])


def _headline(card: Card) -> str:
    said = [card.name, card.phase, _progress(card), card.url or "", _took(card)]
    return f"{MARKS[_KIND[card.phase]]} {' · '.join(filter(None, said))}"


def _text(card: Card) -> str:
    rows = [line for row in card.rows for line in _row_text(card, row)]
    calls = [f"  {label:<7} {code}" for label, code in _calls(card)]
    notes = [f"  {note}" for note in card.notes]
    return "\n".join([_headline(card), *rows, *calls, *notes])


def _row_text(card: Card, row: Row) -> list[str]:
    step = f"{row.step}: {row.reason}" if row.reason else str(row.step or "")
    said = [row.name, step, row.state]
    lines = [f"  {' · '.join(filter(None, said))}"]
    return lines + [f"    {id_}  {way}".rstrip() for id_, way in _ways(card, row)]


def _html(card: Card) -> str:
    head = (
        f'<div class="wb-head"><span>{mark(_KIND[card.phase])}'
        f'<span class="wb-name">{escape(card.name)}</span></span>'
        f"<span>{escape(card.phase)}</span>"
        f'{_link(card.url)}<span class="wb-soft">{escape(_progress(card))}</span>'
        f'<span class="wb-right">{_took(card)}</span></div>'
    )
    rows = "".join(_row_html(card, row) for row in card.rows)
    table = f'<table class="wb-table wb-steps">{rows}</table>' if rows else ""
    calls = "".join(
        f'<span class="wb-soft">{label}</span><code>{escape(code)}</code>'
        for label, code in _calls(card)
    )
    notes = "".join(f'<div class="wb-note">{prose(note)}</div>' for note in card.notes)
    return framed(
        head, table, f'<div class="wb-call">{calls}</div>' if calls else "", notes
    )


def _row_html(card: Card, row: Row) -> str:
    step = f'<span class="wb-step">{row.step}</span>' if row.step else ""
    ways = "".join(
        f'<tr class="wb-way wb-soft"><td>{escape(id_)}</td>'
        f'<td colspan="3">{escape(way)}</td></tr>'
        for id_, way in _ways(card, row)
    )
    return (
        f"<tr><td>{escape(row.name)}</td><td>{step}</td><td>{prose(row.reason)}</td>"
        f'<td class="wb-soft">{row.state}</td></tr>{ways}'
    )


def _ways(card: Card, row: Row) -> list[tuple[str, str]]:
    """Each replica's way to health and how long each part took: id, and its words.

    In the end only the slowest one's, which says what the deploy's time went into.
    """
    known = list(row.replicas.items())
    if not card.is_busy:
        known = [item for item in known if len(item[1].states) > 1]
        known = sorted(known, key=lambda item: item[1].states[-1][1])[-1:]
    ways = [(id_, _way(card, track)) for id_, track in known[:_SHOWN]]
    if len(known) > _SHOWN:
        ways.append(("…", f"and {len(known) - _SHOWN} more"))
    return ways


def _way(card: Card, track: Track) -> str:
    """`shipping 4 ms → placing 2 ms → starting 1.2 s → healthy`."""
    stays: list[tuple[str, float | None]] = [
        (_HEALTHY if state is ReplicaState.RUNNING else state.lower(), took_s)
        for state, took_s in track.stays(card.now_s)
    ]
    if card.shipped_s is not None:
        stays.insert(0, ("shipping", card.shipped_s))
    way = " → ".join(
        word if took_s is None else f"{word} {duration(took_s)}"
        for word, took_s in stays
    )
    return f"{way} · {track.waits_for}" if track.waits_for else way


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
