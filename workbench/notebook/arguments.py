"""The words after `%serve` and `%%serve`: parsed, explained, corrected.

argparse does the work, but a wrong word is a one-line UsageError with the nearest
right one, and `--help` ends the magic, not the process. `verbs` declares the magics'
parsers, `completion` offers what they know.
"""

import argparse
import difflib
import json
import keyword
import re
import shlex
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Any, NoReturn

from IPython.core.error import UsageError

from workbench.spec.application import check_route_prefix
from workbench.spec.gate import Smoke

__all__ = [
    "HelpAsked",
    "Names",
    "Parser",
    "application_name",
    "count",
    "nearest",
    "route",
    "seconds",
    "smoke_request",
    "variable",
]


class HelpAsked(Exception):  # noqa: N818 - a way out, no error
    """The reader wrote `--help`; the message is the text to show."""


class Names(Enum):
    """What a word names, so that completion can offer it."""

    NOTHING = auto()
    APPLICATION = auto()
    DEPLOYMENT = auto()
    TO_SCALE = auto()
    """`application/deployment`."""
    REPLICA = auto()
    VERSION = auto()
    PATH = auto()
    """A URL's, which begins with an application's route."""
    VARIABLE = auto()


class Parser(argparse.ArgumentParser):
    """An argument parser that never exits the process."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            add_help=False,
        )
        self.names: dict[str, Names] = {}
        """What each argument names, by its `dest`."""
        self.add_argument("-h", "--help", action="store_true", help="show this text")
        self.add_argument(
            "--show-code",
            action="store_true",
            help="print the plain Python that does the same, in place of doing it",
        )

    def add(self, *words: str, names: Names = Names.NOTHING, **options: Any) -> None:
        """Add an argument, as `add_argument` does, and say what it names."""
        action = self.add_argument(*words, **options)
        self.names[action.dest] = names

    @property
    def options(self) -> dict[str, argparse.Action]:
        """Every option by the words that it can be written as."""
        return self._option_string_actions

    @property
    def positionals(self) -> list[argparse.Action]:
        """The arguments that are known by their place, in order."""
        return self._get_positional_actions()

    def parse(self, line: str) -> argparse.Namespace:
        """The parsed words of a magic's line.

        Raises:
            HelpAsked: `-h` or `--help` is among them.
            UsageError: a word that cannot be; names the nearest that can.
        """
        try:
            words = shlex.split(line)
        except ValueError as error:
            self.error(str(error))
        return self.parse_words(words)

    def parse_words(self, words: list[str]) -> argparse.Namespace:
        """As `parse`, of words that are split already."""
        if {"-h", "--help"} & set(words):
            raise HelpAsked(self.format_help())
        found, unknown = self.parse_known_args(words)
        if unknown:
            self.error(self._unknown(unknown[0]))
        return found

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        msg = f"{self.prog}: {message} (see `{self.prog} --help`)"
        raise UsageError(msg)

    def _unknown(self, word: str) -> str:
        options = [name for name in self.options if name[:2] == "--"]
        if not word.startswith("-"):
            return f"too many words: {word!r}"
        return f"no option {word}{nearest(word.partition('=')[0], options)}"


def nearest(word: str, known: Iterable[str], show: str = "{}") -> str:
    """`; did you mean …?` if some known word is like this one, else nothing."""
    like = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{show.format(like[0])}`?" if like else ""


def application_name(word: str) -> str:
    """A word that can name an application: it becomes a route, and a path of the API."""
    if not re.fullmatch(r"[\w.-]+", word):
        msg = f"{word!r} is no name; use letters, digits, '_', '-' and '.'"
        raise argparse.ArgumentTypeError(msg)
    return word


def variable(word: str) -> str:
    """A word that can name a variable."""
    if not word.isidentifier() or keyword.iskeyword(word):
        msg = f"{word!r} is no name for a variable"
        raise argparse.ArgumentTypeError(msg)
    return word


def route(word: str) -> str:
    """A word that can be a URL prefix."""
    try:
        check_route_prefix(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None
    return word


def smoke_request(word: str) -> Smoke:
    """A path, and after a space the JSON to send there."""
    path, _, body = word.partition(" ")
    try:
        return Smoke.parse((path, json.loads(body)) if body.strip() else path)
    except ValueError as error:
        text = str(error).rstrip(".")
        raise argparse.ArgumentTypeError(f"{word!r}: {text}") from None


def count(of: str) -> Callable[[str], int]:
    """A whole number of things, 1 or more."""

    def number(word: str) -> int:
        if not word.isdecimal() or int(word) < 1:
            msg = f"{word!r} is no number of {of}; give 1 or more"
            raise argparse.ArgumentTypeError(msg)
        return int(word)

    return number


def seconds(word: str) -> float:
    """A time that is not negative."""
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        msg = f"{word!r} is no time in seconds"
        raise argparse.ArgumentTypeError(msg)
    return value
