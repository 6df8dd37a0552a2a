"""Deploying what a config file declares, and writing such files.

Called by the command line. Each application is updated in place, as by `serve.run`;
what the file does not name is left alone unless the caller asks to prune. A living
instance never takes over new methods here: a file says what runs, in full.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path

import msgspec

from workbench import api
from workbench.api import Deployed
from workbench.build import Build, build
from workbench.code.policies import ship_application_policy
from workbench.deployment import Deployment
from workbench.errors import ConfigError
from workbench.import_path import load_application
from workbench.serve.config import grpc_options, http_options, located
from workbench.spec.application import Owner, check_external_scaler
from workbench.spec.autoscaling import AutoscalingPolicy, parse_policy
from workbench.spec.config_file import ConfigFile, DeclaredApplication, read_config
from workbench.spec.deployment import ActorOptions, DeploymentOptions
from workbench.spec.routing import RoutingSpec
from workbench.spec.tracing import parse_tracing

__all__ = ["Declared", "declare", "open_door", "read_declared", "write_config"]

_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A config file that was read, and where its modules lie."""

    path: Path
    config: ConfigFile
    root: Path

    def build(self) -> list[Build]:
        """Import and pack every application, before the first is deployed.

        Raises:
            ConfigError: something that the file names cannot be; says where.
            Exception: whatever the user's modules raise.
        """
        return [
            _build(app, f"{self.path}: $.applications[{index}]", self)
            for index, app in enumerate(self.config.applications)
        ]


def read_declared(path: Path, root: Path) -> Declared:
    """Read a config file; `root` holds the modules that it names.

    Raises:
        ConfigError: there is no such file, or it is no config.
    """
    try:
        text = path.read_text()
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
        raise ConfigError(msg) from None
    config = read_config(text, str(path))
    return Declared(path=path.absolute(), config=config, root=root.absolute())


def open_door(declared: Declared, *, keep: bool, say: Callable[[str], None]) -> None:
    """Start an instance with the file's HTTP and gRPC options, or find the one there is.

    Raises:
        ConfigError: an option, or a place for the proxy, that does not exist.
        InstanceError: one runs already, and listens elsewhere.
    """
    config = declared.config
    try:
        http = located(http_options(config.http_options or None), config.proxy_location)
        grpc = grpc_options(config.grpc_options or None)
        tracing = parse_tracing(config.tracing_config)
    except (TypeError, ValueError) as error:
        msg = f"{declared.path}: {error}"
        raise ConfigError(msg) from None
    started = api.start(
        http=http, grpc=grpc, tracing=tracing, keep=keep, on_progress=say
    )
    for note in started.notes:
        say(note)


def declare(
    declared: Declared, builds: Iterable[Build], *, wait: bool, prune: bool
) -> list[Deployed]:
    """Deploy what was built; with `prune`, delete what earlier files named and this not.

    Raises:
        DeployError: an application did not come up; those before it are live.
    """
    deployed = [api.send(each, wait=wait) for each in builds]
    if prune:
        names = {each.name for each in declared.config.applications}
        for name, app in api.status().applications.items():
            if name not in names and app.owner.notebook.endswith(_SUFFIXES):
                api.delete(name)
    return deployed


def write_config(applications: Mapping[str, Build]) -> str:
    """A config file for applications by their import paths.

    One has the route `/`; several have `/app1`, `/app2` and so on.
    """
    entries = []
    for index, (import_path, made) in enumerate(applications.items(), 1):
        entries.append(
            {
                "name": f"app{index}",
                "route_prefix": "/" if len(applications) == 1 else f"/app{index}",
                "import_path": import_path,
                "runtime_env": {},
                "deployments": [
                    {"name": spec.name, **_written(spec.options)}
                    for spec in made.request.application.deployments
                ],
            }
        )
    whole = {
        "proxy_location": "EveryNode",
        "http_options": {"host": "127.0.0.1", "port": 8000},
        "applications": entries,
    }
    return msgspec.yaml.encode(whole, order=None).decode()


def _build(app: DeclaredApplication, path: str, declared: Declared) -> Build:
    root = _working_dir(app, path) or declared.root
    target = load_application(app.import_path, app.args, root)
    logging_config = app.logging_config or declared.config.logging_config
    overrides = _Overrides(app, path, logging_config)
    policy = _policy(app, path, root)
    made = build(
        target,
        name=app.name,
        route_prefix=app.route_prefix,
        owner=Owner(notebook=str(declared.path)),
        root=root,
        adjust=overrides.adjust,
        autoscaling_policy=policy,
        external_scaler_enabled=app.external_scaler_enabled,
        target_capacity=declared.config.target_capacity,
    )
    overrides.check_all_used(
        [each.name for each in made.request.application.deployments]
    )
    return made


def _policy(
    app: DeclaredApplication, path: str, root: Path
) -> tuple[AutoscalingPolicy, bytes] | None:
    """Who proposes for the whole application, as it travels."""
    try:
        policy = parse_policy(app.autoscaling_policy or None)
        return ship_application_policy(policy, root)
    except (TypeError, ValueError) as error:
        msg = f"{path}.autoscaling_policy: {error}"
        raise ConfigError(msg) from None


def _working_dir(app: DeclaredApplication, path: str) -> Path | None:
    """A local working_dir holds the modules; one that is elsewhere is not fetched."""
    given = app.runtime_env.get("working_dir")
    if given is None:
        return None
    if not isinstance(given, str) or not Path(given).is_dir():
        msg = (
            f"{path}.runtime_env.working_dir {given!r} is no directory of this machine."
        )
        raise ConfigError(msg, "Fetch it first, and name the directory it lies in.")
    return Path(given).absolute()


class _Overrides:
    """What one application of a file says of its deployments."""

    def __init__(
        self, app: DeclaredApplication, path: str, logging_config: object
    ) -> None:
        self._path = path
        self._runtime_env = app.runtime_env
        self._logging = logging_config
        self._has_scaler = app.external_scaler_enabled
        self._options = {
            str(each["name"]): (f"{path}.deployments[{place}]", each)
            for place, each in enumerate(app.deployments)
        }

    def adjust(self, name: str, made: Deployment) -> Deployment:
        """The deployment as the file wants it."""
        where, given = self._options.get(name, (self._path, {}))
        options = {key: each for key, each in given.items() if key != "name"}
        if self._logging is not None and made.deployment_options.logging_config is None:
            options.setdefault("logging_config", self._logging)
        try:
            changed = made.options(**options)  # type: ignore[arg-type]  # checked by it
            if self._has_scaler:
                check_external_scaler(name, changed.deployment_options)
            return self._with_environment(changed)
        except (TypeError, ValueError) as error:
            msg = f"{where}: {error}"
            raise ConfigError(msg) from None

    def check_all_used(self, names: list[str]) -> None:
        """Refuse options of deployments that the application does not have."""
        for name, (where, _) in self._options.items():
            if name not in names:
                msg = f"{where}.name: the application has no deployment {name!r}."
                raise ConfigError(msg, f"It has {', '.join(names)}.")

    def _with_environment(self, made: Deployment) -> Deployment:
        if not self._runtime_env:
            return made
        actor = made.deployment_options.ray_actor_options
        merged = _merged(self._runtime_env, actor.runtime_env)
        return made.options(ray_actor_options={**actor.given(), "runtime_env": merged})


def _merged(
    outer: Mapping[str, object], inner: Mapping[str, object]
) -> dict[str, object]:
    """The inner one wins; variables are merged one by one."""
    merged = {**outer, **inner}
    variables = [
        each["env_vars"]
        for each in (outer, inner)
        if isinstance(each.get("env_vars"), dict)
    ]
    if variables:
        merged["env_vars"] = {k: v for each in variables for k, v in each.items()}  # type: ignore[attr-defined]
    return merged


def _written(options: DeploymentOptions) -> dict[str, object]:
    """The options that are not at their default, as a config file has them."""
    return {
        each.name: _plain(value)
        for each in fields(options)
        if (value := getattr(options, each.name))
        != getattr(DeploymentOptions(), each.name)
    }


def _plain(value: object) -> object:
    if isinstance(value, RoutingSpec):
        return {
            "request_router_class": value.policy,
            "request_router_kwargs": value.arguments,
        }
    if isinstance(value, ActorOptions):
        return value.given()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return msgspec.to_builtins(value)
