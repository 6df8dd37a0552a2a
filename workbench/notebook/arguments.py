"""The words after `%serve` and `%%serve`: parsed, explained, corrected.

argparse does the work, but a wrong word is a one-line UsageError with the nearest
right one, and `--help` ends the magic, not the process.
"""

import argparse
import difflib
import keyword
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import NoReturn

from IPython.core.error import UsageError

from workbench.spec.application import check_route_prefix

__all__ = ["CELL", "VERBS", "HelpAsked", "Parser", "nearest", "overview"]


class HelpAsked(Exception):  # noqa: N818 - a way out, no error
    """The reader wrote `--help`; the message is the text to show."""


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
        self.add_argument("-h", "--help", action="store_true", help="show this text")

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
        options = [name for name in self._option_string_actions if name[:2] == "--"]
        if not word.startswith("-"):
            return f"too many words: {word!r}"
        return f"no option {word}{nearest(word.partition('=')[0], options)}"


def nearest(word: str, known: Iterable[str], show: str = "{}") -> str:
    """`; did you mean …?` if some known word is like this one, else nothing."""
    like = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean `{show.format(like[0])}`?" if like else ""


def _application_name(word: str) -> str:
    # It becomes a route and a path of the control API.
    if not re.fullmatch(r"[\w.-]+", word):
        msg = f"{word!r} is no name; use letters, digits, '_', '-' and '.'"
        raise argparse.ArgumentTypeError(msg)
    return word


def _variable(word: str) -> str:
    if not word.isidentifier() or keyword.iskeyword(word):
        msg = f"{word!r} is no name for a variable"
        raise argparse.ArgumentTypeError(msg)
    return word


def _route(word: str) -> str:
    try:
        check_route_prefix(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None
    return word


def _replicas(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        msg = f"{word!r} is no number of replicas; give 1 or more"
        raise argparse.ArgumentTypeError(msg)
    return int(word)


def _cell() -> Parser:
    parser = Parser(
        "%%serve",
        "Run this cell and serve the application it makes, over HTTP and by handle.\n\n"
        "What is served: the application (`Model.bind(...)`) on the last line or in\n"
        "`app`; or the cell's only deployment, bound with no arguments. Run the cell\n"
        "again to put its new code live: with the least work that suffices, so a\n"
        "model that was loaded stays loaded while only other methods change.",
    )
    add = parser.add_argument
    add(
        "name",
        metavar="NAME",
        nargs="?",
        default="default",
        type=_application_name,
        help="the application's name (default: default)",
    )
    add(
        "--route",
        metavar="/PATH",
        type=_route,
        help="URL prefix (default: as before, else / if free, else /NAME)",
    )
    add(
        "--replicas",
        metavar="N",
        type=_replicas,
        help="copies of the deployment that requests enter",
    )
    add(
        "--fresh",
        action="store_true",
        help="build new instances even where living ones could take the new code",
    )
    add("--no-wait", action="store_true", help="return before it is live")
    add(
        "--out", metavar="VAR", type=_variable, help="store the handle in this variable"
    )
    return parser


def _verbs() -> Iterator[Parser]:
    yield Parser("%serve [status]", "Show what is served, and in what state.")
    delete = Parser("%serve delete", "Stop serving one application.")
    delete.add_argument("name", metavar="NAME", help="the application's name")
    yield delete
    yield Parser(
        "%serve shutdown", "End the instance and everything it serves. Code stays here."
    )
    connect = Parser("%serve connect", "Use an instance that runs elsewhere.")
    connect.add_argument(
        "url", metavar="URL", help="its address, as `workbench up` printed it"
    )
    connect.add_argument("--token", help="its token")
    yield connect
    query = Parser(
        "%serve query",
        "Send one HTTP request and show the answer: a GET, or a POST with JSON.",
    )
    query.add_argument("path", metavar="PATH", help="path of the URL, for example /")
    query.add_argument(
        "json", metavar="JSON", nargs="?", help="JSON, or the name of a variable"
    )
    yield query


CELL = _cell()
VERBS = {parser.prog.split()[-1].strip("[]"): parser for parser in _verbs()}


def overview() -> str:
    """All forms of the magic, one a line."""
    lines = [("%%serve [NAME] [options]", _gist(CELL))]
    lines += [(_form(parser), _gist(parser)) for parser in VERBS.values()]
    width = max(len(form) for form, _ in lines)
    shown = [f"{form:<{width}}  {gist}" for form, gist in lines]
    return "\n".join([*shown, "", "`--help` after any of them says more."])


def _form(parser: Parser) -> str:
    return (
        " ".join(parser.format_usage().split())
        .removeprefix("usage: ")
        .replace(" [-h]", "")
    )


def _gist(parser: Parser) -> str:
    return str(parser.description).partition(".")[0]
