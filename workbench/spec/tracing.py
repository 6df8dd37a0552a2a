"""Whether spans are exported, and by what: the option `tracing_config`."""

from collections.abc import Callable
from dataclasses import dataclass, fields

__all__ = ["TracingConfig", "TracingSpec", "parse_tracing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingConfig:
    """Ray Serve's names, and its defaults."""

    enabled: bool = False
    exporter_import_path: str | Callable[[], object] = ""
    """A function, or `module:function`, that returns a list of OpenTelemetry's span
    processors; called in every proxy and replica. Empty: spans are written to files of
    the instance, which its status names, a line of JSON each."""
    sampling_ratio: float = 0.01
    """Part of the traces that begin here which is exported; of a client's trace, all
    is if the client says so, else nothing."""

    def __post_init__(self) -> None:
        """Reject what cannot be, naming the value."""
        ratio: object = self.sampling_ratio
        if not isinstance(ratio, int | float) or not 0 <= ratio <= 1:
            msg = f"sampling_ratio is between 0 and 1; got {ratio!r}."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracingSpec:
    """The same on its way to proxies and replicas; values that JSON has, too."""

    exporter: str
    """The function as `workbench.code.exporter` packs it, in base 64; empty: files."""
    sampling_ratio: float
    directory: str = ""
    """Of those files."""


def parse_tracing(given: object) -> TracingConfig | None:
    """The config that a user's `tracing_config` is; None if there is to be no tracing.

    Raises:
        TypeError: it is no `TracingConfig` and no dict.
        ValueError: an unknown key, or a value that cannot be.
    """
    if isinstance(given, dict):
        known = {field.name for field in fields(TracingConfig)}
        if unknown := sorted(set(given) - known):
            msg = f"tracing_config has no {unknown[0]!r}; it has {sorted(known)}."
            raise ValueError(msg)
        given = TracingConfig(**given)
    if given is not None and not isinstance(given, TracingConfig):
        msg = f"tracing_config is a TracingConfig or a dict; got {given!r}."
        raise TypeError(msg)
    return given if given is not None and given.enabled else None
