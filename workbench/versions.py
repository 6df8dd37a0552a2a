"""What was deployed, as `serve.versions` and `serve.diff` give it: values to look at.

Each is text in a terminal and HTML in a notebook; `workbench.notebook` frames the same.
"""

import time
from html import escape
from typing import ClassVar

from workbench.record_table import RecordTable
from workbench.spec.status import Step
from workbench.spec.versions import VersionDiff, VersionList, VersionRecord

__all__ = ["Diff", "Versions"]

_TITLES = ("", "version", "deployed", "outcome", "what changed", "by")
_COLOURS = {"+": "#009e73", "-": "#d55e00", "@": "#2f86c7"}


class Versions(RecordTable[VersionRecord]):
    """The deploys of one application, newest first; a table when shown."""

    titles: ClassVar[tuple[str, ...]] = _TITLES

    def __init__(self, found: VersionList) -> None:
        super().__init__(found.app, found.records)

    def row(self, record: VersionRecord) -> tuple[str, ...]:
        """A deploy's cells."""
        return _row(record)

    def __repr__(self) -> str:
        reasons = [f"{each.number}: {each.reason}" for each in self if each.reason]
        return "\n".join([*self.lines, *reasons])

    def _repr_html_(self) -> str:
        reasons = "".join(
            f"<pre>{each.number}: {escape(each.reason)}</pre>"
            for each in self
            if each.reason
        )
        return super()._repr_html_() + reasons


class Diff:
    """What changed from one version to another; a unified diff when printed."""

    def __init__(self, found: VersionDiff) -> None:
        self.app = found.app
        self.before = found.before
        self.after = found.after
        self.changes = found.changes
        """In words, by deployment."""
        self.source = found.source
        """A unified diff; empty if the source is the same."""

    def __bool__(self) -> bool:
        return bool(self.changes or self.source)

    def __str__(self) -> str:
        head = f"{self.app}: {_name(self.before)} → {_name(self.after)}"
        words = [f"{name}: {text}" for name, text in self.changes.items()]
        said = words or ([] if self.source else ["nothing changed"])
        # As comments, which `patch` and the like pass over.
        return "\n".join([*(f"# {line}" for line in (head, *said)), *self._lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        lines = str(self).splitlines()
        return f"<pre>{''.join(map(_coloured, lines))}</pre>"

    @property
    def _lines(self) -> list[str]:
        return self.source.splitlines()


def _row(record: VersionRecord) -> tuple[str, ...]:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.deployed_at_s))
    back = f"rollback to {record.rollback_to}; " if record.rollback_to else ""
    moved = [each for each in record.steps if each.step is not Step.NOTHING]
    steps = "; ".join(
        f"{each.deployment}: {each.step}, {each.reason}" for each in moved
    )
    gone = "" if record.is_kept else " (code no longer kept)"
    return (
        f"{'●' if record.is_current else ' '} {record.number}",
        record.version + gone,
        at,
        str(record.outcome),
        back + (steps or "nothing"),
        " ".join(filter(None, (_file(record.owner.notebook), record.owner.cell[:8]))),
    )


def _file(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _name(record: VersionRecord) -> str:
    return f"version {record.number} ({record.version})"


def _coloured(line: str) -> str:
    colour = _COLOURS.get(line[:1])
    text = escape(line) or " "
    return f'<span style="color:{colour}">{text}</span>\n' if colour else f"{text}\n"
