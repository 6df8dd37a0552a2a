"""`workbench`: start, look at and end instances from a terminal."""

import argparse
import sys

from workbench import __version__, api
from workbench.errors import WorkbenchError
from workbench.settings import Settings
from workbench.spec.http import HTTPOptions
from workbench.spec.status import ServeStatus

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        options.run(options)
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="workbench", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start an instance that stays, or find it")
    up.add_argument("--port", type=int, help="HTTP port (default: 8000 or next free)")
    up.set_defaults(run=_up)
    for name, run, text in (
        ("status", _status, "show what runs"),
        ("down", _down, "end the instance"),
    ):
        commands.add_parser(name, help=text).set_defaults(run=run)
    delete = commands.add_parser("delete", help="stop one application")
    delete.add_argument("name")
    delete.set_defaults(run=_delete)
    return parser


def _up(options: argparse.Namespace) -> None:
    settings = Settings.from_environment()
    http = HTTPOptions(
        host=settings.http_host,
        port=options.port if options.port is not None else settings.http_port,
    )
    api.start(http=http, keep=True, on_progress=lambda text: print(f"… {text}"))
    _status(options)


def _status(_options: argparse.Namespace) -> None:
    print("\n".join(_lines(api.status())))


def _down(_options: argparse.Namespace) -> None:
    print("Ended." if api.shutdown() else "Nothing is running.")


def _delete(options: argparse.Namespace) -> None:
    deleted = api.delete(options.name)
    print(
        f"Deleted {options.name}." if deleted else f"No application {options.name!r}."
    )


def _lines(status: ServeStatus) -> list[str]:
    if status.instance is None:
        return ["Nothing is running. Start with `workbench up` or a %%serve cell."]
    lines = [f"Instance {status.instance.id} at {status.instance.http_url}"]
    lines += [f"  {note}" for note in status.instance.notes]
    for name, app in status.applications.items():
        lines.append(f"{name}: {app.status}, {app.url or 'no route'}")
        if app.message:
            lines.append(f"  {app.message}")
        for deployment, each in app.deployments.items():
            states = ", ".join(f"{n} {s}" for s, n in each.replica_states.items())
            lines.append(f"  {deployment} {each.version}: {each.status} ({states})")
    return lines if status.applications else [*lines, "No application is deployed."]


if __name__ == "__main__":
    sys.exit(main())
