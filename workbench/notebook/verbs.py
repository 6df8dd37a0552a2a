"""What `%%serve` and `%serve` can be told: one parser for each form, with its help."""

import argparse
import json
import re
from collections.abc import Iterator

from workbench.explanation import SHOWN
from workbench.notebook.arguments import (
    Names,
    Parser,
    application_name,
    count,
    route,
    seconds,
    smoke_request,
    variable,
)
from workbench.spec.logs import LEVELS

__all__ = ["CELL", "VERBS", "overview"]

_LINES = 200
_MOST_LINES = 2000


def _cell() -> Parser:
    parser = Parser(
        "%%serve",
        "Run this cell and serve the application it makes, over HTTP and by handle.\n\n"
        "What is served: the application (`Model.bind(...)`) on the last line or in\n"
        "`app`; or the cell's only deployment, bound with no arguments. Run the cell\n"
        "again to put its new code live: with the least work that suffices, so a\n"
        "model that was loaded stays loaded while only other methods change.",
    )
    add = parser.add
    add(
        "name",
        metavar="NAME",
        nargs="?",
        default="default",
        type=application_name,
        names=Names.APPLICATION,
        help="the application's name (default: default)",
    )
    add(
        "--route",
        metavar="/PATH",
        type=route,
        help="URL prefix (default: as before, else / if free, else /NAME)",
    )
    add(
        "--replicas",
        metavar="N",
        type=count("replicas"),
        help="copies of the deployment that requests enter",
    )
    add(
        "--fresh",
        action="store_true",
        help="build new instances even where living ones could take the new code",
    )
    add(
        "--smoke",
        metavar="'/PATH JSON'",
        action="append",
        default=[],
        type=smoke_request,
        names=Names.PATH,
        help="a request that new code must answer before it serves; may be repeated",
    )
    add(
        "--guard",
        metavar="S",
        type=seconds,
        help="watch its first S seconds; back to the old code if over 5 %% fail",
    )
    add("--no-wait", action="store_true", help="return before it is live")
    add(
        "--out",
        metavar="VAR",
        type=variable,
        names=Names.VARIABLE,
        help="store the handle in this variable",
    )
    return parser


def _status() -> Parser:
    return Parser("%serve status", "Show what is served, and in what state.")


class _Query(Parser):
    """The rest of the line is JSON as it stands: its quotes are its own."""

    _OUT = re.compile(r"--out[ =](?P<var>\S+)(?:\s+|$)")
    _CODE = re.compile(r"(?P<code>--show-code)(?:\s+|$)")
    _AT_END = re.compile(r"(?:^|\s+)(--out[ =]\S+|--show-code)$")

    def parse(self, line: str) -> argparse.Namespace:
        words, rest = self._options_before(line.strip())
        path, _, body = rest.partition(" ")
        body = body.strip()
        while (found := self._AT_END.search(body)) and not _is_json(body):
            words += found[1].replace(" ", "=").split()
            body = body[: found.start()].strip()
        return self.parse_words([*words, *filter(None, (path, body))])

    def _options_before(self, line: str) -> tuple[list[str], str]:
        words = []
        while found := self._OUT.match(line) or self._CODE.match(line):
            words.append(found[0].strip().replace(" ", "="))
            line = line[found.end() :]
        return words, line


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _query() -> Parser:
    parser = _Query(
        "%serve query",
        "Send one HTTP request and show the answer: a GET, or a POST with JSON. If the\n"
        "code that answers fails, its traceback is shown below the answer.",
    )
    parser.add(
        "path",
        metavar="PATH",
        names=Names.PATH,
        help="path of the URL, for example /",
    )
    parser.add(
        "json",
        metavar="JSON",
        nargs="?",
        names=Names.VARIABLE,
        help="JSON, or the name of a variable",
    )
    parser.add(
        "--out",
        metavar="VAR",
        type=variable,
        names=Names.VARIABLE,
        help="store the answer in this variable (an httpx.Response)",
    )
    return parser


def _logs() -> Parser:
    parser = Parser(
        "%serve logs",
        "Show what replicas said: lines they printed or logged, and tracebacks. Every\n"
        "answer's header `x-request-id` leads to what was said about that request.",
    )
    add = parser.add
    add(
        "app",
        metavar="APP",
        nargs="?",
        default="",
        names=Names.APPLICATION,
        help="of one application only",
    )
    add(
        "-f",
        "--follow",
        action="store_true",
        help="go on showing what comes, in this one output, until interrupted",
    )
    _add_deployment(parser)
    add(
        "--replica",
        metavar="R",
        default="",
        names=Names.REPLICA,
        help="of one replica only",
    )
    add("--request-id", metavar="ID", default="", help="of one request only")
    add(
        "--level",
        metavar="LEVEL",
        default="",
        type=str.upper,
        choices=LEVELS,
        help=f"the least level to show: {', '.join(LEVELS)}",
    )
    add("--source", default="", help="from this logger, or access for requests")
    add("--contains", metavar="TEXT", default="", help="with this text, in any case")
    add(
        "--lines",
        metavar="N",
        type=_lines,
        default=_LINES,
        help=f"show at most the last N records (default {_LINES}, most {_MOST_LINES})",
    )
    add("--for", dest="for_s", metavar="S", type=seconds, help="follow for S seconds")
    return parser


def _lines(word: str) -> int:
    return min(count("records")(word), _MOST_LINES)


def _scale() -> Parser:
    parser = Parser("%serve scale", "Set how many replicas a deployment has.")
    parser.add(
        "what",
        metavar="APP[/DEPLOYMENT]",
        names=Names.TO_SCALE,
        help="the deployment may be left out where the application has one",
    )
    parser.add("replicas", metavar="N", type=count("replicas"), help="1 or more")
    return parser


def _explain() -> Parser:
    parser = Parser(
        "%serve explain",
        "Show why autoscaled deployments have as many replicas as they have: what was\n"
        "decided, by which rule, and from which figures; the newest decision last.",
    )
    _add_application(parser)
    _add_deployment(parser)
    parser.add(
        "--lines",
        metavar="N",
        type=count("decisions"),
        default=SHOWN,
        help=f"show the last N decisions (default {SHOWN})",
    )
    return parser


def _versions() -> Parser:
    parser = Parser(
        "%serve versions", "Show what was deployed of an application, newest first."
    )
    _add_application(parser)
    return parser


def _diff() -> Parser:
    parser = Parser(
        "%serve diff",
        "Show what changed from one version to another. Without names: from the one\n"
        "that was live before to the one that runs now.",
    )
    _add_application(parser)
    _add_version(parser, "a", "from this one (default: what was live before)")
    _add_version(parser, "b", "to this one (default: what runs now)")
    return parser


def _rollback() -> Parser:
    parser = Parser(
        "%serve rollback",
        "Deploy what was live before, or a version by its number or hash.",
    )
    _add_application(parser)
    _add_version(parser, "version", "which one (default: what was live before)")
    parser.add(
        "--out",
        metavar="VAR",
        type=variable,
        names=Names.VARIABLE,
        help="store the handle in this variable",
    )
    return parser


def _add_application(parser: Parser) -> None:
    parser.add(
        "app",
        metavar="APP",
        names=Names.APPLICATION,
        help="the application's name",
    )


def _add_deployment(parser: Parser) -> None:
    parser.add(
        "--deployment",
        metavar="D",
        default="",
        names=Names.DEPLOYMENT,
        help="of one deployment only",
    )


def _add_version(parser: Parser, name: str, text: str) -> None:
    parser.add(name, metavar=name.upper(), nargs="?", names=Names.VERSION, help=text)


def _panel() -> Parser:
    parser = Parser(
        "%serve panel",
        "Show live plots of the traffic, and controls. Where widgets cannot be shown,\n"
        "a table of what is measured now.",
    )
    parser.add(
        "app",
        metavar="APP",
        nargs="?",
        names=Names.APPLICATION,
        help="may be left out where one application is served",
    )
    return parser


def _connect() -> Parser:
    parser = Parser("%serve connect", "Use an instance that runs elsewhere.")
    parser.add(
        "url", metavar="URL", help="its control API, as `workbench up` prints it"
    )
    parser.add("--token", help="its token (default: what WORKBENCH_TOKEN holds)")
    return parser


def _doctor() -> Parser:
    return Parser(
        "%serve doctor",
        "Check that everything is in place, and say how to mend what is not.",
    )


def _delete() -> Parser:
    parser = Parser("%serve delete", "Stop serving one application.")
    parser.add(
        "name", metavar="NAME", names=Names.APPLICATION, help="the application's name"
    )
    return parser


def _shutdown() -> Parser:
    return Parser(
        "%serve shutdown", "End the instance and everything it serves. Code stays here."
    )


def _parsers() -> Iterator[Parser]:
    yield _status()
    yield _query()
    yield _logs()
    yield _scale()
    yield _explain()
    yield _versions()
    yield _diff()
    yield _rollback()
    yield _panel()
    yield _connect()
    yield _doctor()
    yield _delete()
    yield _shutdown()


CELL = _cell()
VERBS = {parser.prog.split()[-1]: parser for parser in _parsers()}


def overview() -> str:
    """All forms of the magic, one a line."""
    lines = [("%%serve [NAME] [options]", _gist(CELL))]
    lines += [
        ("%serve", "Say what is served, and what to do next."),
        *((_form(parser), _gist(parser)) for parser in VERBS.values()),
        ("%serve help [VERB]", "Show this, or all about one verb."),
    ]
    lines = [(form, gist.partition(".")[0]) for form, gist in lines]
    width = max(len(form) for form, _ in lines)
    shown = [f"{form:<{width}}  {gist}" for form, gist in lines]
    return "\n".join([*shown, "", "`--help` after any of them says more."])


def _form(parser: Parser) -> str:
    form = [parser.prog]
    for action in parser.positionals:
        name = str(action.metavar)
        form.append(f"[{name}]" if action.nargs == "?" else name)
    # Beyond --help and --show-code, which all have.
    if len(set(parser.options.values())) > 2:
        form.append("[options]")
    return " ".join(form)


def _gist(parser: Parser) -> str:
    return str(parser.description).replace("\n", " ")
