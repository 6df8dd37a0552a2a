"""Metrics as Prometheus reads them (text format 0.0.4). Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

__all__ = ["MEDIA_TYPE", "Family", "render"]

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Family:
    """One metric: its kind, what it means, and its value for each set of labels."""

    def __init__(self, name: str, kind: str, description: str) -> None:
        self.name = name
        self.kind = kind
        self.description = description
        self.lines: list[str] = []

    def add(self, labels: Mapping[str, str], value: float) -> None:
        """Add a number."""
        self.lines.append(f"{self.name}{_labels(labels)} {_number(value)}")

    def add_histogram(
        self,
        labels: Mapping[str, str],
        bounds: Sequence[float],
        counts: Sequence[float],
        total: float,
    ) -> None:
        """Add a histogram; `counts` has one more than `bounds`, none of them summed."""
        ends = [*map(_number, bounds), "+Inf"]
        for end, below in zip(ends, accumulate(counts), strict=True):
            inside = _labels({**labels, "le": end})
            self.lines.append(f"{self.name}_bucket{inside} {_number(below)}")
        outside = _labels(labels)
        self.lines.append(f"{self.name}_sum{outside} {_number(total)}")
        self.lines.append(f"{self.name}_count{outside} {_number(sum(counts))}")


def render(families: Iterable[Family]) -> str:
    """All families, each with its help and its type."""
    text = []
    for family in families:
        if family.lines:
            text.append(f"# HELP {family.name} {_escape(family.description, quote='')}")
            text.append(f"# TYPE {family.name} {family.kind}")
            text += family.lines
    return "".join(f"{line}\n" for line in text)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{_escape(text)}"' for name, text in labels.items())
    return f"{{{inside}}}"


def _escape(text: str, quote: str = '"') -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace(quote, f"\\{quote}") if quote else escaped


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
