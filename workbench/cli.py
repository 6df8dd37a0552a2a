"""`workbench`: start, look at and end instances from a terminal."""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from workbench import __version__, api
from workbench.commands import add_deploy_commands
from workbench.errors import WorkbenchError
from workbench.explanation import SHOWN
from workbench.instance import find
from workbench.serve.config import located
from workbench.settings import Settings
from workbench.spec.events import StatusEvent
from workbench.spec.grpc import GRPCOptions
from workbench.spec.http import NO_HTTP, HTTPOptions, ProxyLocation
from workbench.spec.logs import LEVELS, LogPage, LogQuery
from workbench.spec.status import DeploymentStatus, ReplicaState, ServeStatus

__all__ = ["main"]

# How long one question of `logs -f` waits for more.
_FOLLOW_S = 20.0


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
    add_deploy_commands(commands)
    # `start` and the other names in brackets are those of Ray Serve's command line.
    up = commands.add_parser(
        "up", aliases=["start"], help="start an instance that stays, or find it"
    )
    up.add_argument("--host", "--http-host", help="HTTP address (default: loopback)")
    up.add_argument(
        "--port", "--http-port", type=int, help="HTTP port (default: 8000 or next free)"
    )
    up.add_argument(
        "--proxy-location",
        choices=list(ProxyLocation),
        help="Disabled: no HTTP, applications are called by handles only",
    )
    up.add_argument(
        "--grpc-port", type=int, help="gRPC port (default: 9000 or next free)"
    )
    up.add_argument(
        "--grpc-servicer-functions",
        nargs="+",
        default=[],
        metavar="MODULE.FUNCTION",
        help="serve these by gRPC: add_XServicer_to_server of generated code",
    )
    up.add_argument(
        "--restore",
        nargs="?",
        const=api.NEWEST,
        metavar="PATH",
        help="with the applications that an earlier instance saved (default: the last)",
    )
    up.set_defaults(run=_up)
    status = commands.add_parser("status", help="show what runs")
    status.add_argument("-n", "--name", help="of this application only")
    status.add_argument("--yaml", action="store_true", help="all of it, as YAML")
    status.set_defaults(run=_status)
    down = commands.add_parser(
        "down", aliases=["shutdown"], help="end the instance and all that it serves"
    )
    down.add_argument("-y", "--yes", action="store_true", help="never asks anyway")
    down.set_defaults(run=_down)
    delete = commands.add_parser("delete", help="stop one application")
    delete.add_argument("name")
    delete.set_defaults(run=_delete)
    scale = commands.add_parser("scale", help="run another number of replicas")
    scale.add_argument("app")
    scale.add_argument("deployment")
    scale.add_argument("num_replicas", type=int)
    scale.set_defaults(run=_scale)
    _add_explain(commands.add_parser("explain", help="show why so many replicas run"))
    _add_versions(commands)
    _add_logs(commands.add_parser("logs", help="show what replicas said"))
    return parser


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", nargs="?", default="default")
    parser.add_argument("--deployment", default="", help="of this one only")
    parser.add_argument(
        "-n", "--lines", type=int, default=SHOWN, help="the last so many decisions"
    )
    parser.set_defaults(run=_explain)


def _add_versions(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    versions = commands.add_parser("versions", help="show what was deployed before")
    versions.add_argument("app")
    versions.set_defaults(run=lambda options: print(api.versions(options.app)))
    diff = commands.add_parser("diff", help="show what changed between two versions")
    diff.add_argument("app")
    diff.add_argument("a", nargs="?", help="default: what was live before")
    diff.add_argument("b", nargs="?", help="default: what runs now")
    diff.set_defaults(
        run=lambda options: print(api.diff(options.app, options.a, options.b))
    )
    back = commands.add_parser("rollback", help="deploy an earlier version again")
    back.add_argument("app")
    back.add_argument("version", nargs="?", help="number or hash")
    back.set_defaults(run=_rollback)


def _add_logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", nargs="?", default="")
    parser.add_argument("-f", "--follow", action="store_true", help="and what comes")
    parser.add_argument("--deployment", default="")
    parser.add_argument("--replica", default="", help="its id, as status shows it")
    parser.add_argument("--request-id", default="", help="x-request-id of an answer")
    parser.add_argument("--source", default="", help="a logger, or access for requests")
    parser.add_argument("--level", default="", type=str.upper, choices=LEVELS)
    parser.set_defaults(run=_logs)


def _up(options: argparse.Namespace) -> None:
    settings = Settings.from_environment()
    port = options.port if options.port is not None else settings.http_port
    told = (port, options.host, options.proxy_location)
    http = HTTPOptions(host=options.host or settings.http_host, port=port)
    http = located(http, options.proxy_location) or http
    grpc = GRPCOptions(
        port=options.grpc_port,
        grpc_servicer_functions=options.grpc_servicer_functions,
    )
    api.start(
        # One that runs is taken as it is, and what is restored listens as it did, unless
        # told otherwise.
        http=None if told == (None, None, None) else http,
        grpc=grpc,
        keep=True,
        restore=options.restore,
        on_progress=_print_progress,
    )
    if options.restore:
        _follow_restore()
    print("\n".join(_lines(api.status())))
    file = find(settings.runtime_dir, only_kept=False)
    if file is not None:
        # The token itself stays off the screen, which others may see.
        where = file.path(settings.runtime_dir)
        print(f"From elsewhere: serve.connect({file.url!r}, token=...);")
        print(f"  its token stands in {where}")


def _follow_restore() -> None:
    """Print what comes up, until all of it is up or has said why not."""
    said: dict[str, str] = {}
    with contextlib.closing(api.events()) as events:
        for event in events:
            if not isinstance(event, StatusEvent):
                continue
            lines = dict(_comings(event.status))
            for name, line in lines.items():
                if line != said.get(name):
                    _print_progress(line)
            said = lines
            if _is_settled(event.status):
                return


def _comings(status: ServeStatus) -> Iterator[tuple[str, str]]:
    for app, overview in status.applications.items():
        for name, each in overview.deployments.items():
            running = each.replica_states.get(ReplicaState.RUNNING, 0)
            text = (
                f"{app}: {name}, {running} of {each.target_num_replicas} replicas run"
            )
            yield f"{app}#{name}", f"{text} ({each.message})" if each.message else text


def _is_settled(status: ServeStatus) -> bool:
    return all(
        each.status is DeploymentStatus.HEALTHY
        or (each.status is not DeploymentStatus.UPDATING and bool(each.message))
        for overview in status.applications.values()
        for each in overview.deployments.values()
    )


def _print_progress(text: str) -> None:
    print(f"… {text}", flush=True)


def _status(options: argparse.Namespace) -> None:
    found = api.status()
    if options.name is not None:
        apps = {k: app for k, app in found.applications.items() if k == options.name}
        found = replace(found, applications=apps)
    if options.yaml:
        print(msgspec.yaml.encode(found).decode(), end="")
    else:
        print("\n".join(_lines(found)))


def _down(_options: argparse.Namespace) -> None:
    print("Ended." if api.shutdown() else "Nothing is running.")


def _delete(options: argparse.Namespace) -> None:
    deleted = api.delete(options.name)
    print(
        f"Deleted {options.name}." if deleted else f"No application {options.name!r}."
    )


def _scale(options: argparse.Namespace) -> None:
    api.scale(options.app, options.deployment, options.num_replicas)
    print(f"{options.deployment} goes to {options.num_replicas} replicas.")


def _explain(options: argparse.Namespace) -> None:
    print(api.explain(options.app).last(options.lines, options.deployment))


def _rollback(options: argparse.Namespace) -> None:
    made = api.rollback(options.app, options.version)
    where = made.url or "by handle only"
    print(f"{options.app} is live, {where} ({made.took_s:.2f} s).")


def _logs(options: argparse.Namespace) -> None:
    query = LogQuery(
        app=options.app,
        deployment=options.deployment,
        replica=options.replica,
        request_id=options.request_id,
        level=options.level,
        source=options.source,
    )
    page = _print_logs(query)
    with contextlib.suppress(KeyboardInterrupt):
        while options.follow:
            page = _print_logs(replace(query, after=page.next, wait_s=_FOLLOW_S))


def _print_logs(query: LogQuery) -> LogPage:
    page = api.logs(query)
    for each in page.records:
        at = time.strftime("%H:%M:%S", time.localtime(each.at_s))
        who = " ".join(filter(None, (each.deployment, each.replica, each.request_id)))
        print(f"{at} {each.level} {who} | {each.text}", flush=True)
    return page


def _lines(status: ServeStatus) -> list[str]:
    if status.instance is None:
        return ["Nothing is running. Start with `workbench up` or a %%serve cell."]
    url = status.instance.http_url
    lines = [f"Instance {status.instance.id}{f' at {url}' if url else f', {NO_HTTP}'}"]
    if status.instance.grpc_address:
        lines.append(f"  gRPC at {status.instance.grpc_address}")
    lines += [f"  {note}" for note in status.instance.notes]
    for name, app in status.applications.items():
        lines.append(f"{name}: {app.status}, {app.url or 'by handle only'}")
        if app.message:
            lines.append(f"  {app.message}")
        for deployment, each in app.deployments.items():
            states = ", ".join(f"{n} {s}" for s, n in each.replica_states.items())
            lines.append(f"  {deployment} {each.version}: {each.status} ({states})")
    return lines if status.applications else [*lines, "No application is deployed."]


if __name__ == "__main__":
    sys.exit(main())
