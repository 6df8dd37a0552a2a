"""What replicas say: lines that user code prints or logs, and tracebacks."""

from dataclasses import dataclass

__all__ = ["ACCESS", "LEVELS", "LogPage", "LogQuery", "LogRecord"]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""From the least to the gravest."""
ACCESS = "access"
"""The source of the lines that tell of requests."""

_MOST_RECORDS = 5_000
_LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One line, or one traceback with all its lines."""

    seq: int = 0
    """Number that the controller gave it; rises, also across replicas."""
    at_s: float
    """Seconds since the epoch."""
    level: str
    """DEBUG, INFO, WARNING, ERROR or CRITICAL; what is printed is INFO."""
    source: str
    """`stdout`, `stderr`, `access`, or the name of the logger."""
    app: str
    deployment: str
    replica: str
    request_id: str
    """Of the request in which it was said; empty outside of any."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which records to show; an empty field lets all pass."""

    app: str = ""
    deployment: str = ""
    replica: str = ""
    request_id: str = ""
    level: str = ""
    """The least level to show."""
    source: str = ""
    """Only what comes from there; requests are shown only to those who ask for them,
    by `access`."""
    contains: str = ""
    """Text that must occur, in whatever case."""
    after: int = 0
    """Only records with a higher `seq`: how to follow."""
    limit: int = 200
    """At most so many; the newest ones, or with `after` the oldest."""
    wait_s: float = 0.0
    """If there is none, wait so long for one (at most 30 s)."""

    def __post_init__(self) -> None:
        """Reject what no record can answer, naming the value."""
        if self.level and self.level not in LEVELS:
            msg = f"level must be one of {', '.join(LEVELS)}; got {self.level!r}."
            raise ValueError(msg)
        if not 1 <= self.limit <= _MOST_RECORDS:
            msg = f"limit must be 1 to {_MOST_RECORDS}; got {self.limit}."
            raise ValueError(msg)
        if self.after < 0:
            msg = f"after must be 0 or more; got {self.after}."
            raise ValueError(msg)
        if not 0 <= self.wait_s <= _LONGEST_WAIT_S:
            msg = f"wait_s must be 0 to {_LONGEST_WAIT_S:g}; got {self.wait_s}."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Answer to a `LogQuery`, oldest first."""

    records: tuple[LogRecord, ...]
    next: int
    """Give this as `after` to go on from here."""
    dropped: int = 0
    """Records that were lost for want of room since the instance began."""
