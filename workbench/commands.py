"""Commands that deploy from a terminal: run, deploy and build.

Part of `workbench.cli`: each reads its arguments, calls one function of `declared` or
`api`, and prints what came of it.
"""

import argparse
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from workbench import api
from workbench.api import Deployed
from workbench.build import Build, build
from workbench.declared import (
    Declared,
    declare,
    open_door,
    read_declared,
    write_config,
)
from workbench.errors import ConfigError
from workbench.import_path import forget_local_modules, load_application
from workbench.spec.config_file import ConfigFile, DeclaredApplication

__all__ = ["add_deploy_commands"]

_CONFIG_SUFFIXES = (".yaml", ".yml", ".json")
# How often `run --reload` looks whether a file has changed.
_LOOK_S = 0.5


def add_deploy_commands(commands: Any) -> None:
    """Add them to the parser's sub-commands."""
    run = commands.add_parser("run", help="deploy, and stay until Ctrl-C")
    _add_target(run)
    run.add_argument("--blocking", action="store_true", default=True)
    run.add_argument(
        "--non-blocking",
        dest="blocking",
        action="store_false",
        help="leave it running, in an instance that stays",
    )
    run.add_argument(
        "-r", "--reload", action="store_true", help="again whenever a file changes"
    )
    run.set_defaults(run=_run)
    deploy = commands.add_parser("deploy", help="deploy on an instance that stays")
    _add_target(deploy)
    deploy.add_argument("--no-wait", action="store_true", help="do not wait until live")
    deploy.add_argument(
        "--prune",
        action="store_true",
        help="delete what config files deployed before and this one does not name",
    )
    deploy.set_defaults(run=_deploy)
    made = commands.add_parser("build", help="write a config file for applications")
    made.add_argument("import_paths", nargs="+", metavar="MODULE:APP")
    made.add_argument("-d", "--app-dir", type=Path, default=Path())
    made.add_argument("-o", "--output-path", type=Path, help="a file, not the screen")
    made.set_defaults(run=_build)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="MODULE:APP, MODULE:BUILDER or a config file")
    parser.add_argument(
        "arguments", nargs="*", metavar="KEY=VALUE", help="for a builder"
    )
    parser.add_argument("-d", "--app-dir", type=Path, default=Path(), help="of modules")
    parser.add_argument("-a", "--address", help="URL of the control API of an instance")
    parser.add_argument("--name", default="default", help="of the application")
    parser.add_argument("--route-prefix", default="/")
    parser.add_argument("--working-dir", help="a directory for replicas to run in")
    parser.add_argument("--runtime-env", type=Path, help="a YAML file")
    parser.add_argument("--runtime-env-json", type=json.loads, default={})


def _run(options: argparse.Namespace) -> None:
    if options.address:
        api.connect(options.address)
    if options.reload and not options.blocking:
        msg = "--reload and --non-blocking contradict each other."
        raise ConfigError(msg, "Leave one of them away.")
    # Before they are imported: what changes from here on is seen.
    files = dict(_files(options.app_dir.absolute())) if options.reload else {}
    declared = _declared(options)
    builds = declared.build()
    open_door(declared, keep=not options.blocking, say=_say)
    _show(declare(declared, builds, wait=True, prune=False))
    if not options.blocking:
        return
    print("Ctrl-C ends it.", flush=True)
    try:
        _stay(options, files)
    except KeyboardInterrupt:
        # An instance of its own ends with this process; another serves on.
        for app in declared.config.applications:
            api.delete(app.name)
        print("Ended.")


def _stay(options: argparse.Namespace, seen: dict[Path, float]) -> None:
    root = options.app_dir.absolute()
    while True:
        threading.Event().wait(_LOOK_S)
        if options.reload and (now := dict(_files(root))) != seen:
            seen = now
            _reload(options)


def _reload(options: argparse.Namespace) -> None:
    """Deploy anew; what is wrong with the new files is said, and the old serve on."""
    try:
        forget_local_modules(options.app_dir.absolute())
        declared = _declared(options)
        _show(declare(declared, declared.build(), wait=True, prune=False))
    except Exception as error:  # noqa: BLE001 - the next save may mend it
        print(
            f"workbench: not reloaded: {type(error).__name__}: {error}", file=sys.stderr
        )


def _files(root: Path) -> Iterator[tuple[Path, float]]:
    for path in root.rglob("*.py"):
        if not any(part.startswith(".") for part in path.relative_to(root).parts):
            yield path, path.stat().st_mtime


def _deploy(options: argparse.Namespace) -> None:
    if options.address:
        api.connect(options.address)
    declared = _declared(options)
    builds = declared.build()
    open_door(declared, keep=True, say=_say)
    wait = not options.no_wait
    _show(declare(declared, builds, wait=wait, prune=options.prune))


def _build(options: argparse.Namespace) -> None:
    root = options.app_dir.absolute()
    builds: dict[str, Build] = {}
    for import_path in options.import_paths:
        target = load_application(import_path, {}, root)
        builds[import_path] = build(target, name="app", route_prefix=None, root=root)
    text = write_config(builds)
    if options.output_path is None:
        print(text, end="")
    else:
        options.output_path.write_text(text)
        print(f"Wrote {options.output_path}.")


def _declared(options: argparse.Namespace) -> Declared:
    """The config file, or what one would say of an import path."""
    if options.target.endswith(_CONFIG_SUFFIXES):
        if options.arguments:
            msg = f"{options.target} has args of its own; got {options.arguments}."
            raise ConfigError(msg, "Write them as `args:` of the application.")
        return read_declared(Path(options.target), options.app_dir)
    app = DeclaredApplication(
        import_path=options.target,
        name=options.name,
        route_prefix=options.route_prefix or None,
        args=_arguments(options.arguments),
        runtime_env=_runtime_env(options),
    )
    return Declared(
        path=Path(options.target),
        config=ConfigFile(applications=(app,)),
        root=options.app_dir.absolute(),
    )


def _arguments(given: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for each in given:
        key, mark, value = each.partition("=")
        if not mark or not key:
            msg = f"{each!r} is no argument for a builder."
            raise ConfigError(msg, "Write arguments as key=value.")
        found[key] = value
    return found


def _runtime_env(options: argparse.Namespace) -> dict[str, object]:
    found: dict[str, object] = {}
    if options.runtime_env is not None:
        found |= msgspec.yaml.decode(options.runtime_env.read_bytes(), type=dict)
    found |= options.runtime_env_json
    if options.working_dir:
        found["working_dir"] = options.working_dir
    return found


def _say(text: str) -> None:
    print(f"… {text}", flush=True)


def _show(deployed: list[Deployed]) -> None:
    for each in deployed:
        for warning in each.warnings:
            print(f"  {warning}")
        where = each.url or "by handle only"
        print(f"{each.name}: {where} ({each.took_s:.2f} s)", flush=True)
