"""What users declare: deployments, applications, and ingress classes.

Nothing here talks to a cluster; `workbench.api` turns an `Application` into a deploy.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, overload

from workbench.spec.autoscaling import parse_autoscaling, parse_replicas
from workbench.spec.deployment import ActorOptions, DeploymentOptions, Kind
from workbench.spec.logging_config import parse_logging
from workbench.spec.placement import parse_rows
from workbench.spec.routing import parse_backpressure, parse_routing

__all__ = ["Application", "Deployment", "deployment", "ingress"]

_BUILDER = "__serve_build_asgi_app__"
_OPTION_NAMES = frozenset(f.name for f in fields(DeploymentOptions))
# Options of Ray Serve that are not offered, and what to do instead.
_ELSEWHERE = {
    "deployment_actors": "start a Ray actor by name in __init__, get_if_exists=True",
    "gang_scheduling_config": "placement_group_bundles hold workers that belong together",
}

# Options that may be given in other forms than the one they are kept in.
_PARSED: dict[str, Callable[[object], object]] = {
    "autoscaling_config": parse_autoscaling,
    "backpressure_config": parse_backpressure,
    "placement_group_bundle_label_selector": parse_rows,
    "placement_group_bundles": parse_rows,
    "placement_group_strategy": lambda given: given or "",
    "logging_config": parse_logging,
    "request_router_config": parse_routing,
}

Target = TypeVar("Target", bound=Callable[..., object])


@dataclass(frozen=True, eq=False)
class Deployment:
    """A class or function with the options it is served with; made by `deployment`."""

    func_or_class: Callable[..., Any]
    name: str
    _options: DeploymentOptions

    def __call__(self, *_args: object, **_kwargs: object) -> object:
        """Refuse: a deployment is not the class it was made from.

        Raises:
            RuntimeError: always; says what to use instead.
        """
        msg = (
            f"Deployment {self.name!r} cannot be called. Use "
            f"{self.name}.bind(...) to make an application of it, a handle to call "
            f"it, or {self.name}.func_or_class for the undecorated original."
        )
        raise RuntimeError(msg)

    def __repr__(self) -> str:
        return f"Deployment(name={self.name})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Deployment):
            return NotImplemented
        ours = (self.name, self.func_or_class, self._options)
        return ours == (other.name, other.func_or_class, other._options)

    def __hash__(self) -> int:
        return hash((self.name, self.func_or_class))

    def __getattr__(self, name: str) -> object:
        # Options read like attributes: `Model.num_replicas`.
        if name == "ray_actor_options":
            return self._options.ray_actor_options.given()
        if name in _OPTION_NAMES:
            return getattr(self._options, name)
        msg = f"Deployment has no attribute {name!r}; try .func_or_class.{name}."
        raise AttributeError(msg)

    @property
    def kind(self) -> Kind:
        """How a call enters the target."""
        if not inspect.isclass(self.func_or_class):
            return Kind.FUNCTION
        is_asgi = hasattr(self.func_or_class, "__serve_asgi_app__")
        return Kind.ASGI if is_asgi else Kind.CLASS

    @property
    def deployment_options(self) -> DeploymentOptions:
        """All options as one value."""
        return self._options

    def options(
        self,
        func_or_class: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        **changes: object,
    ) -> "Deployment":
        """A copy with some options changed; this one stays as it is.

        Raises:
            TypeError: an option that does not exist, or of the wrong type.
            ValueError: a value that cannot work.
        """
        return _make(
            func_or_class or self.func_or_class,
            name or self.name,
            replace(self._options, **_checked(changes)),  # type: ignore[arg-type]
        )

    def bind(self, *args: object, **kwargs: object) -> "Application":
        """An application whose constructor gets these arguments.

        Arguments that are applications themselves, at any depth, become handles.

        Raises:
            ValueError: arguments for a function, which has no constructor.
        """
        if self.kind is Kind.FUNCTION and (args or kwargs):
            msg = f"{self.name!r} is a function: bind() takes no arguments for it."
            raise ValueError(msg)
        return Application(self, args, kwargs)


class Application:
    """A deployment bound to its arguments; opaque, made by `Deployment.bind`."""

    def __init__(
        self,
        deployment: Deployment,
        args: tuple[object, ...],
        kwargs: dict[str, object],
    ) -> None:
        self.deployment = deployment
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return f"Application(ingress={self.deployment.name})"


@overload
def deployment(_func_or_class: Callable[..., Any], /) -> Deployment: ...
@overload
def deployment(
    *, name: str | None = None, **options: object
) -> Callable[[Callable[..., Any]], Deployment]: ...
def deployment(
    _func_or_class: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    **options: object,
) -> Deployment | Callable[[Callable[..., Any]], Deployment]:
    """Make a class or function deployable; bare or with options.

    Options and their defaults are the fields of
    `workbench.spec.deployment.DeploymentOptions`.

    Raises:
        TypeError: the target is neither class nor function, or an unknown option.
        ValueError: an option's value cannot work.
    """
    checked = DeploymentOptions(**_checked(options))  # type: ignore[arg-type]

    def decorate(target: Callable[..., Any]) -> Deployment:
        if isinstance(target, Deployment):
            msg = f"{target.name!r} is a deployment already; use .options(...)."
            raise TypeError(msg)
        if not (inspect.isclass(target) or inspect.isfunction(target)):
            msg = f"@serve.deployment needs a class or function; got {target!r}."
            raise TypeError(msg)
        return _make(target, name or target.__name__, checked)

    return decorate if _func_or_class is None else decorate(_func_or_class)


def ingress(app: object = None) -> Callable[..., Any]:
    """Serve an ASGI app (FastAPI, Starlette, any) through a deployment class.

    Routes that are methods of the class get its instance as `self`. `app` may also be
    a function that makes the app; it is then called in the replica. Without `app`, the
    class makes it from its instance in `__serve_build_asgi_app__(self)`. With no class
    at all, `serve.deployment(serve.ingress(app)())` serves the bare app.

    Raises:
        ValueError: not put on a class, or the class has its own `__call__`, or there
            is no application.
    """

    def decorate(cls: type | None = None) -> type:
        if cls is None:
            cls = type("ASGIApplication", (), {})
        if not inspect.isclass(cls):
            msg = f"@serve.ingress must decorate a class; got {cls!r}."
            raise ValueError(msg)
        if "__call__" in vars(cls):
            msg = (
                f"{cls.__name__} has both @serve.ingress and __call__; "
                "the app answers HTTP, so remove __call__."
            )
            raise ValueError(msg)
        if app is None and not hasattr(cls, _BUILDER):
            msg = (
                f"@serve.ingress() on {cls.__name__} needs an application, or a method "
                f"{_BUILDER}(self) that makes one."
            )
            raise ValueError(msg)
        cls.__serve_asgi_app__ = app  # type: ignore[attr-defined]
        return cls

    return decorate


def _make(
    target: Callable[..., Any], name: object, options: DeploymentOptions
) -> Deployment:
    if not isinstance(name, str) or not name or "#" in name:
        msg = f"A deployment's name is text without '#'; got {name!r}."
        raise ValueError(msg)
    if options.user_config is not None and not inspect.isclass(target):
        msg = f"{name!r} is a function: it has no reconfigure() to take a user_config."
        raise ValueError(msg)
    return Deployment(target, name, options)


def _checked(options: dict[str, object]) -> dict[str, object]:
    """Turn what a user passed into fields of DeploymentOptions."""
    options = _offered(options)
    if "ray_actor_options" in options:
        given = options["ray_actor_options"]
        if given is not None and not isinstance(given, dict):
            msg = f"ray_actor_options is a dict; got {given!r}."
            raise TypeError(msg)
        options = {**options, "ray_actor_options": ActorOptions.parse(given)}
    options = parse_replicas(options)
    for name, parse in _PARSED.items():
        if name in options:
            options = {**options, name: parse(options[name])}
    return options


def _offered(options: dict[str, object]) -> dict[str, object]:
    """Refuse what there is not, by name."""
    if "version" in options:
        msg = "version is worked out from the code; leave it away."
        raise ValueError(msg)
    for name in sorted(set(options) & _ELSEWHERE.keys()):
        if options[name] is not None:
            msg = f"Option {name!r} is not offered: {_ELSEWHERE[name]}."
            raise TypeError(msg)
        options = {key: each for key, each in options.items() if key != name}
    if unknown := sorted(set(options) - _OPTION_NAMES):
        msg = f"Unknown option {unknown[0]!r}; known are {sorted(_OPTION_NAMES)}."
        raise TypeError(msg)
    return options
