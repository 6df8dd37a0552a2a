"""Draws the answer to one HTTP request."""

import json
from html import escape
from textwrap import wrap

from workbench.notebook.backend import Answer
from workbench.notebook.display import MARKS, View, duration, framed, mark, prose

__all__ = ["answer_view"]

_LINES = 40
_WIDTH = 88


def answer_view(answer: Answer, traceback: str = "", note: str = "") -> View:
    """Status, time, and the body as its type deserves; below, what the code raised."""
    kind = "good" if answer.status_code < 400 else "bad"
    type_ = answer.headers.get("content-type", "").partition(";")[0]
    status = f"{answer.status_code} {answer.reason_phrase}"
    said = " · ".join(
        filter(None, [status, duration(answer.elapsed.total_seconds()), type_])
    )
    body = _shortened(_body(answer, type_))
    return View(
        line=f"{MARKS[kind]} {said}",
        text="\n".join(filter(None, [f"{MARKS[kind]} {said}", body, traceback, note])),
        html=framed(
            f"<div>{mark(kind)}{escape(said)}</div>",
            f'<pre class="wb-note">{escape(body)}</pre>',
            f'<pre class="wb-note wb-trace">{escape(traceback)}</pre>'
            if traceback
            else "",
            f'<div class="wb-note wb-soft">{prose(note)}</div>' if note else "",
        ),
    )


def _body(answer: Answer, type_: str) -> str:
    if type_ == "application/json":
        try:
            return _pretty(answer.json())
        except ValueError:
            return answer.text
    if type_.startswith("text/") or not type_:
        return answer.text
    return f"({len(answer.content)} bytes of {type_})"


def _pretty(value: object, margin: str = "") -> str:
    """JSON with a line for each item of what is too long for one line."""
    short = json.dumps(value, ensure_ascii=False)
    if len(margin) + len(short) <= _WIDTH or not isinstance(value, (dict, list)):
        return short
    inner = f"{margin}  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_pretty(value[key], inner)}" for key in value]
    elif any(isinstance(item, (dict, list)) for item in value):
        items = [_pretty(item, inner) for item in value]
    else:  # plain numbers, say: as many on a line as fit
        items = wrap(short[1:-1], _WIDTH - len(inner), break_long_words=False)
        return "\n".join(
            [short[0], *(inner + line for line in items), margin + short[-1]]
        )
    lines = ",\n".join(inner + item for item in items)
    return f"{short[0]}\n{lines}\n{margin}{short[-1]}"


def _shortened(text: str) -> str:
    lines = [
        line if len(line) <= 10 * _WIDTH else f"{line[: 10 * _WIDTH]} …"
        for line in text.splitlines()
    ]
    if len(lines) <= _LINES:
        return "\n".join(lines)
    return "\n".join([*lines[:_LINES], f"… {len(lines) - _LINES} more lines"])
