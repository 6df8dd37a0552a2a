"""What replicas say: lines that user code prints or logs, and tracebacks."""

from dataclasses import dataclass

__all__ = ["LogPage", "LogQuery", "LogRecord"]


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
    """`stdout`, `stderr`, or the name of the logger."""
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
    contains: str = ""
    """Text that must occur, in whatever case."""
    after: int = 0
    """Only records with a higher `seq`: how to follow."""
    limit: int = 200
    """At most so many; the newest ones, or with `after` the oldest."""
    wait_s: float = 0.0
    """If there is none, wait so long for one (at most 30 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Answer to a `LogQuery`, oldest first."""

    records: tuple[LogRecord, ...]
    next: int
    """Give this as `after` to go on from here."""
    dropped: int = 0
    """Records that were lost for want of room since the instance began."""
