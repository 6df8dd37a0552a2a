"""Draws what was deployed of an application, and what changed between two deploys."""

import re
from collections.abc import Callable
from html import escape
from textwrap import indent

from workbench.notebook.display import View, framed, mark, prose
from workbench.notebook.record_view import table_of
from workbench.spec.versions import Outcome, VersionRecord
from workbench.versions import Diff, Versions

__all__ = ["diff_view", "versions_view"]

_KIND = {
    Outcome.DEPLOYING: "busy",
    Outcome.LIVE: "idle",
    Outcome.FAILED: "bad",
    Outcome.REVERTED: "bad",
    Outcome.REPLACED: "idle",
}
_LINE_KINDS = {"+": "wb-good", "-": "wb-bad", "@": "wb-soft", "#": "wb-name"}


def versions_view(versions: Versions, readable: Callable[[str], str] = str) -> View:
    """The table; below it why some did not stay."""
    count = len(versions)
    gist = f"{versions.app}: {count} deploy{'s' if count != 1 else ''}"
    reasons = [
        f"{each.number}: {readable(each.reason).strip()}"
        for each in versions
        if each.reason and each.outcome in {Outcome.FAILED, Outcome.REVERTED}
    ]
    more = (
        f"`%serve diff {versions.app}` shows what changed last · "
        f"`%serve rollback {versions.app} [VERSION]` brings one back"
    )
    return View(
        line=gist,
        text="\n".join(
            [gist, *(indent(each, "  ") for each in (*versions.lines, *reasons, more))]
        ),
        html=framed(
            f'<div class="wb-head">{escape(gist)}</div>',
            table_of(versions, _lead),
            *map(_note, (*reasons, more)),
        ),
    )


def diff_view(diff: Diff) -> View:
    """The diff with its colours."""
    lines = str(diff).splitlines()
    return View(
        line=lines[0].removeprefix("# "),
        text=str(diff),
        html=framed(
            f'<div class="wb-head">{escape(lines[0].removeprefix("# "))}</div>',
            *(
                f'<div class="wb-note"><b>{escape(name)}</b> {prose(text)}</div>'
                for name, text in (diff.changes or {"": "Nothing changed."}).items()
            ),
            f'<pre class="wb-note">{"".join(map(_line, diff.source.splitlines()))}</pre>'
            if diff.source
            else "",
        ),
    )


def _lead(record: VersionRecord, _text: str) -> str:
    sign = mark("good" if record.is_current else _KIND[record.outcome])
    return f"{sign}<b>{record.number}</b>"


def _line(line: str) -> str:
    kind = _LINE_KINDS.get(line[:1], "")
    # The names of files are no changes.
    if re.match(r"(\+\+\+|---) ", line):
        kind = "wb-soft"
    return f'<span class="{kind}">{escape(line) or " "}</span>\n'


def _note(text: str) -> str:
    if "\n" in text:
        return f'<pre class="wb-note">{escape(text)}</pre>'
    return f'<div class="wb-note wb-soft">{prose(text)}</div>'
