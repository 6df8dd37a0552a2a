"""Draws why autoscaled deployments have as many replicas as they have."""

from collections.abc import Iterable
from html import escape
from textwrap import indent

from workbench.explanation import Explanation
from workbench.notebook.display import View, framed, mark, prose
from workbench.notebook.record_view import table_of
from workbench.spec.autoscaling import ScalingRecord, ScalingRule

__all__ = ["explanation_view"]

_KIND = {
    ScalingRule.FITS: "good",
    ScalingRule.WAITS_UP: "busy",
    ScalingRule.WAITS_DOWN: "busy",
    ScalingRule.UP: "good",
    ScalingRule.DOWN: "good",
    ScalingRule.WAKE: "good",
    ScalingRule.BUSY: "idle",
    ScalingRule.POLICY_FAILED: "bad",
    ScalingRule.BY_HAND: "good",
}


def explanation_view(told: Explanation) -> View:
    """How the number went, and the decisions below."""
    if not told:
        (sentence,) = told.lines
        html = framed(f'<div class="wb-note">{prose(sentence)}</div>')
        return View(line=sentence, text=sentence, html=html)
    courses = list(_courses(told))
    return View(
        line=courses[0],
        text="\n".join([*courses, *(indent(each, "  ") for each in told.lines)]),
        html=framed(
            *(f'<div class="wb-head">{escape(each)}</div>' for each in courses),
            table_of(told, _lead),
        ),
    )


def _courses(told: Explanation) -> Iterable[str]:
    """Of each deployment, how many replicas it had one after the other."""
    for name in dict.fromkeys(each.deployment for each in told):
        records = [each for each in told if each.deployment == name]
        counts = [records[0].before]
        for each in records:
            if each.wanted != counts[-1]:
                counts.append(each.wanted)
        course = " → ".join(map(str, counts))
        yield f"{name}: {course} replica{'' if counts == [1] else 's'}"


def _lead(record: ScalingRecord, first: str) -> str:
    return mark(_KIND[record.rule]) + escape(first)
