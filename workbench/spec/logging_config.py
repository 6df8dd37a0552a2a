"""How replicas log: the value of the option `logging_config`."""

import logging
from dataclasses import dataclass, fields

__all__ = ["LoggingSpec", "parse_logging"]

_ENCODINGS = ("TEXT", "JSON")
_LEVELS = logging.getLevelNamesMapping()
# What every record of Python's own logging has beside what is logged in any case.
_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSpec:
    """Ray Serve's names, and its defaults."""

    encoding: str = "TEXT"
    """Of files and of standard error: TEXT, or JSON with an object on each line."""
    log_level: str = "INFO"
    """The least level of the logger `ray.serve`; its number may be given, too."""
    logs_dir: str | None = None
    """Directory on the replica's host for a file with all that `ray.serve` logs, and
    with every request."""
    enable_access_log: bool = True
    """Whether requests are logged when they end."""
    additional_log_standard_attrs: tuple[str, ...] = ()
    """More of what Python knows of a record, such as `name` or `threadName`."""

    def __post_init__(self) -> None:
        """Reject what cannot be; bring the rest into one form."""
        encoding = str(getattr(self.encoding, "value", self.encoding))
        if encoding not in _ENCODINGS:
            msg = f"encoding is one of {', '.join(_ENCODINGS)}; got {encoding!r}."
            raise ValueError(msg)
        level: object = self.log_level
        name = logging.getLevelName(level) if isinstance(level, int) else level
        if name not in _LEVELS:
            msg = f"log_level is one of {', '.join(_LEVELS)}; got {level!r}."
            raise ValueError(msg)
        attributes = tuple(self.additional_log_standard_attrs)
        if unknown := sorted(set(attributes) - _ATTRIBUTES):
            msg = (
                f"Log records have no attribute {unknown[0]!r}; "
                f"they have {', '.join(sorted(_ATTRIBUTES))}."
            )
            raise ValueError(msg)
        object.__setattr__(self, "encoding", encoding)
        object.__setattr__(self, "log_level", name)
        object.__setattr__(self, "additional_log_standard_attrs", attributes)


def parse_logging(given: object) -> LoggingSpec | None:
    """The spec that a user's `logging_config` is; None: it is left to others.

    Raises:
        TypeError: it is neither a LoggingConfig nor a dict.
        ValueError: an unknown key, or a value that cannot be.
    """
    if given is None or isinstance(given, LoggingSpec):
        return given
    if not isinstance(given, dict):
        msg = f"logging_config is a LoggingConfig or a dict; got {given!r}."
        raise TypeError(msg)
    known = {field.name for field in fields(LoggingSpec)}
    if unknown := sorted(set(given) - known):
        msg = f"logging_config has no {unknown[0]!r}; it has {sorted(known)}."
        raise ValueError(msg)
    return LoggingSpec(**given)
