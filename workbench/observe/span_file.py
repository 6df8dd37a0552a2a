"""A file of spans, a line of JSON for each, which does not grow without end.

Written by OpenTelemetry's own exporter (see `spans`), in a thread of its own. It is open
only while it is written to: processes that are killed leave whole lines.
"""

from pathlib import Path

__all__ = ["SpanFile"]


class SpanFile:
    """As much of a text file as the exporter needs."""

    def __init__(self, path: Path, *, most_bytes: int = 32 * 1024 * 1024) -> None:
        self._path = path
        self._most_bytes = most_bytes
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, line: str) -> None:
        """Append; what has become too large begins anew, and one file before it stays."""
        path = self._path
        if path.exists() and path.stat().st_size > self._most_bytes:
            path.replace(path.with_suffix(".1.jsonl"))
        with path.open("a", encoding="utf-8") as file:
            file.write(line)

    def flush(self) -> None:
        """All is written at once."""
