"""Draws the answer to one HTTP request."""

import json
from html import escape

from workbench.notebook.backend import Answer
from workbench.notebook.display import MARKS, View, duration, framed, mark

__all__ = ["answer_view"]

_LINES = 40
_WIDTH = 88


def answer_view(answer: Answer) -> View:
    """Status, time, and the body as its type deserves."""
    kind = "good" if answer.status_code < 400 else "bad"
    type_ = answer.headers.get("content-type", "").partition(";")[0]
    status = f"{answer.status_code} {answer.reason_phrase}"
    said = " · ".join(
        filter(None, [status, duration(answer.elapsed.total_seconds()), type_])
    )
    body = _shortened(_body(answer, type_))
    return View(
        line=f"{MARKS[kind]} {said}",
        text=f"{MARKS[kind]} {said}\n{body}",
        html=framed(
            f"<div>{mark(kind)}{escape(said)}</div>",
            f'<pre class="wb-note">{escape(body)}</pre>',
        ),
    )


def _body(answer: Answer, type_: str) -> str:
    if type_ == "application/json":
        return _pretty(answer.text)
    if type_.startswith("text/") or not type_:
        return answer.text
    return f"({len(answer.content)} bytes of {type_})"


def _pretty(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    short = json.dumps(value, ensure_ascii=False)
    if len(short) <= _WIDTH:
        return short
    return json.dumps(value, ensure_ascii=False, indent=2)


def _shortened(text: str) -> str:
    lines = [
        line if len(line) <= 10 * _WIDTH else f"{line[: 10 * _WIDTH]} …"
        for line in text.splitlines()
    ]
    if len(lines) <= _LINES:
        return "\n".join(lines)
    return "\n".join([*lines[:_LINES], f"… {len(lines) - _LINES} more lines"])
