"""What a config file declares: applications by import path, and what differs for them.

The form is that of Ray Serve's config files, in YAML or JSON. Read by `workbench.declared`;
says what is wrong with a file, and where in it, but imports nothing that it names.
"""

import msgspec

from workbench.errors import ConfigError
from workbench.spec.application import check_route_prefix
from workbench.spec.capacity import check_capacity

__all__ = ["ConfigFile", "DeclaredApplication", "read_config"]

# Said by Ray Serve's files, and what to do instead here.
_ELSEWHERE = {
    "controller_options": "the controller takes no options",
    "host": "it is `http_options: host:` at the top of the file",
    "port": "it is `http_options: port:` at the top of the file",
}
# Values under which those mean nothing, so that files written out in full are taken.
_UNSET: tuple[object, ...] = (None, False, {}, [])


class DeclaredApplication(msgspec.Struct, frozen=True, kw_only=True):
    """One application of a config file."""

    import_path: str
    """`module:attribute` or `module.attribute`: an application, or a function that
    makes one from `args`."""
    name: str = "default"
    route_prefix: str | None = "/"
    """None: reachable by handle only."""
    args: dict[str, object] = {}
    runtime_env: dict[str, object] = {}
    """For every deployment; a deployment's own wins, and `env_vars` are merged."""
    deployments: tuple[dict[str, object], ...] = ()
    """Options of one deployment each, by the decorator's names, and its `name`; they
    win over those in the code."""
    logging_config: dict[str, object] | None = None
    autoscaling_policy: dict[str, object] | None = None
    """`policy_function` and `policy_kwargs`: proposes for all autoscaled deployments
    together, in place of their own policies."""
    external_scaler_enabled: bool = False
    """Something outside says how many replicas there are (`workbench scale`), so that
    no deployment may be autoscaled. Scaling needs no permission without it either."""


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True):
    """A whole config file."""

    applications: tuple[DeclaredApplication, ...]
    proxy_location: str = "EveryNode"
    http_options: dict[str, object] = {}
    grpc_options: dict[str, object] = {}
    logging_config: dict[str, object] | None = None
    tracing_config: dict[str, object] | None = None
    """Of an instance that is started for the file."""
    target_capacity: float | None = None
    """Percentage of every number of replicas that runs; null: all of it."""


def read_config(text: str, where: str = "The config file") -> ConfigFile:
    """Read a config file's text, YAML or JSON.

    Raises:
        ConfigError: it is not such a file; the message has the path of the bad field.
    """
    try:
        found: object = msgspec.yaml.decode(text)
    except msgspec.DecodeError as error:
        msg = f"{where} is no YAML: {error}"
        raise ConfigError(msg) from None
    whole = _known_only(found, ConfigFile, f"{where}: $")
    applications = whole.get("applications")
    if isinstance(applications, list):
        whole["applications"] = [
            _known_only(app, DeclaredApplication, f"{where}: $.applications[{index}]")
            for index, app in enumerate(applications)
        ]
    try:
        config = msgspec.convert(whole, ConfigFile)
    except msgspec.ValidationError as error:
        msg = f"{where}: {error}"
        raise ConfigError(msg) from None
    _check_applications(config, where)
    return config


def _known_only(
    given: object, kind: type[msgspec.Struct], path: str
) -> dict[str, object]:
    """The fields that `kind` has; others are refused rather than passed over."""
    if not isinstance(given, dict):
        msg = f"{path} must be a mapping; got {given!r}."
        raise ConfigError(msg)
    known = kind.__struct_fields__
    for name, value in given.items():
        if name in known or (name in _ELSEWHERE and value in _UNSET):
            continue
        if name in _ELSEWHERE:
            msg = f"{path}.{name} is not offered."
            raise ConfigError(msg, f"Leave it away: {_ELSEWHERE[name]}.")
        msg = f"{path}.{name} is no field of it; there are {', '.join(known)}."
        raise ConfigError(msg)
    return {name: value for name, value in given.items() if name in known}


def _check_applications(config: ConfigFile, where: str) -> None:
    try:
        check_capacity(config.target_capacity)
    except ValueError as error:
        msg = f"{where}: $.{error}"
        raise ConfigError(msg) from None
    names: dict[object, int] = {}
    routes: dict[object, int] = {}
    for index, app in enumerate(config.applications):
        path = f"{where}: $.applications[{index}]"
        if not app.name:
            msg = f"{path}.name must not be empty."
            raise ConfigError(msg)
        try:
            check_route_prefix(app.route_prefix)
        except ValueError as error:
            msg = f"{path}.route_prefix: {error}"
            raise ConfigError(msg) from None
        _check_alone(names, app.name, index, f"{path}.name")
        if app.route_prefix is not None:
            _check_alone(routes, app.route_prefix, index, f"{path}.route_prefix")
        for place, override in enumerate(app.deployments):
            if not isinstance(override.get("name"), str):
                msg = f"{path}.deployments[{place}] needs the name of a deployment."
                raise ConfigError(msg)


def _check_alone(seen: dict[object, int], value: str, index: int, path: str) -> None:
    first = seen.setdefault(value, index)
    if first != index:
        msg = f"{path} is {value!r}, which applications[{first}] has already."
        raise ConfigError(msg, "Give each application its own.")
