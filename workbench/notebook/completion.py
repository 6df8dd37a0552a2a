"""Offers what can be written next on a `%serve` or `%%serve` line.

What is offered is decided by `candidates`, a function of the line and of the names that
are known. `ServeMatcher` is what the shell asks; it never starts an instance and never
keeps the reader waiting: names that do not come in time are those of the last time.
"""

import argparse
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from workbench.errors import WorkbenchError
from workbench.notebook.arguments import Names, Parser
from workbench.notebook.verbs import CELL, VERBS
from workbench.spec.status import ServeStatus
from workbench.spec.versions import VersionRecord

__all__ = ["Known", "ServeMatcher", "candidates"]

# A reader feels 200 ms; what is slower comes with the next keystroke.
_BUDGET_S = 0.15

_LINE = re.compile(r"^\s*(?P<magic>%{1,2})serve(?P<rest>\s.*)$", re.DOTALL)

Asked = TypeVar("Asked")
Offer = Callable[[Names, list[str]], Iterable[str]]


def candidates(line: str, offer: Offer) -> tuple[str, list[str]] | None:
    """What could stand at the end of `line`, and how much of it stands there already.

    `offer` gives the names of a kind, for the words that stand before. None: the line
    is none of ours.
    """
    found = _LINE.match(line)
    if found is None:
        return None
    *before, fragment = re.split(r"\s+", found["rest"].lstrip())
    if found["magic"] == "%%":
        known = _of_parser(CELL, before, fragment, offer)
    elif not before:
        known = [*VERBS, "help"]
    elif before[0] == "help":
        known = [] if before[1:] else list(VERBS)
    elif before[0] in VERBS:
        known = _of_parser(VERBS[before[0]], before[1:], fragment, offer)
    else:
        known = []
    return fragment, [word for word in known if word.startswith(fragment)]


def _of_parser(
    parser: Parser, before: list[str], fragment: str, offer: Offer
) -> list[str]:
    """Options, or what the option or place before the cursor takes."""
    option, equals, _ = fragment.partition("=")
    if equals:
        values = _values(parser, parser.options.get(option), before, offer)
        return [f"{option}={value}" for value in values]
    waiting, filled = _read(parser, before)
    if waiting is not None:
        return _values(parser, waiting, before, offer)
    options = [
        word
        for word, action in parser.options.items()
        if word.startswith("--") and not _has(parser, before, action)
    ]
    if fragment.startswith("-"):
        return options
    place = parser.positionals[filled : filled + 1]
    values = _values(parser, place[0] if place else None, before, offer)
    return values if values or place else options


def _read(parser: Parser, before: list[str]) -> tuple[argparse.Action | None, int]:
    """The option that still waits for its value, and how many places are filled."""
    waiting: argparse.Action | None = None
    filled = 0
    for word in before:
        if waiting is not None:
            waiting = None
        elif word.startswith("-"):
            action = parser.options.get(word)
            waiting = action if action is not None and action.nargs != 0 else None
        else:
            filled += 1
    return waiting, filled


def _has(parser: Parser, before: list[str], action: argparse.Action) -> bool:
    given = (parser.options.get(word.partition("=")[0]) for word in before)
    return any(each is action for each in given)


def _values(
    parser: Parser, action: argparse.Action | None, before: list[str], offer: Offer
) -> list[str]:
    if action is None:
        return []
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    return list(offer(parser.names.get(action.dest, Names.NOTHING), before))


class Known(Generic[Asked]):
    """The last answer that came in time."""

    def __init__(self, ask: Callable[[], Asked], nothing: Asked) -> None:
        self._ask = ask
        self._nothing = nothing
        self._last = nothing
        self._asking: threading.Thread | None = None

    def get(self, budget_s: float = _BUDGET_S) -> Asked:
        """The answer; after `budget_s` the one before, and the new one the next time."""
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(
                target=self._refresh, name="workbench-names", daemon=True
            )
            self._asking.start()
        self._asking.join(budget_s)
        return self._last

    def _refresh(self) -> None:
        try:
            self._last = self._ask()
        except (WorkbenchError, OSError):
            self._last = self._nothing


class ServeMatcher:
    """Completes the lines of our magics in one shell."""

    def __init__(
        self,
        ask: Callable[[], ServeStatus],
        namespace: Mapping[str, Any],
        ask_versions: Callable[[str], Iterable[VersionRecord]] = lambda _: (),
    ) -> None:
        self._known = Known(ask, ServeStatus())
        self._ask_versions = ask_versions
        self._versions: dict[str, Known[Iterable[VersionRecord]]] = {}
        self._namespace = namespace

    def matcher(self) -> Callable[[CompletionContext], SimpleMatcherResult]:
        """As the shell's completer wants it."""

        @context_matcher(identifier="workbench.serve")  # type: ignore[untyped-decorator]
        def match(context: CompletionContext) -> SimpleMatcherResult:
            return self.match(context)

        return match  # type: ignore[no-any-return]

    def match(self, context: CompletionContext) -> SimpleMatcherResult:
        """What can stand at the cursor; nothing where the line is none of ours."""
        line = context.full_text.split("\n")[context.cursor_line]
        found = candidates(line[: context.cursor_position], self._offer)
        if found is None or (context.cursor_line and line.lstrip().startswith("%%")):
            return SimpleMatcherResult(completions=[], suppress=False)
        fragment, words = found
        # Names of Python and files are never meant here. The shell leaves them out only
        # where we offer something: what stands there already, if we know nothing.
        words = words or [fragment]
        return SimpleMatcherResult(
            completions=[SimpleCompletion(word, type="serve") for word in words],
            matched_fragment=fragment,
            suppress=True,
            ordered=True,
        )

    def _offer(self, kind: Names, before: list[str]) -> Iterable[str]:
        if kind is Names.NOTHING:
            return []
        if kind is Names.VARIABLE:
            return [name for name in self._namespace if not name.startswith("_")]
        if kind is Names.VERSION:
            return self._versions_of(before[0]) if before else []
        return _names(kind, before, self._known.get())

    def _versions_of(self, app: str) -> list[str]:
        if app not in self._versions:
            self._versions[app] = Known(lambda: self._ask_versions(app), ())
        return [str(each.number) for each in self._versions[app].get() if each.is_kept]


def _names(kind: Names, before: list[str], status: ServeStatus) -> list[str]:
    applications = status.applications
    chosen = [applications[word] for word in before if word in applications]
    deployments = [
        (name, each)
        for app in chosen or applications.values()
        for name, each in app.deployments.items()
    ]
    match kind:
        case Names.APPLICATION:
            names = list(applications)
        case Names.PATH:
            routes = (app.route_prefix for app in applications.values())
            names = [route for route in routes if route is not None]
        case Names.TO_SCALE:
            names = [
                f"{name}/{deployment}" if len(app.deployments) > 1 else name
                for name, app in applications.items()
                for deployment in app.deployments
            ]
        case Names.DEPLOYMENT:
            names = [name for name, _ in deployments]
        case _:
            names = [
                each.id for _, overview in deployments for each in overview.replicas
            ]
    return list(dict.fromkeys(names))
