"""The logger `ray.serve` in a replica, set up as its `logging_config` asks.

`process` calls `follow` whenever the replica gets other options. Records are heard by
`logs` besides, as those of every other logger.
"""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from workbench.replica.log_format import formatter_for
from workbench.spec.logging_config import LoggingSpec
from workbench.spec.replica import Seat

__all__ = ["ServeLog"]

_NAMES = ("ray.serve", "workbench.serve")
_FILE_BYTES = 100 * 1024 * 1024
_FILES = 5


class ServeLog:
    """The handlers that this process has added to the logger, under both its names."""

    def __init__(self) -> None:
        self._handlers: list[logging.Handler] = []
        self._asked: tuple[LoggingSpec, Seat] | None = None
        self.file: logging.Handler | None = None
        """Where `logs_dir` wants everything to be."""

    def follow(self, seat: Seat) -> LoggingSpec:
        """Log as the seat's options say; gives what they say."""
        spec = seat.options.logging_config or LoggingSpec()
        if self._asked != (spec, seat):
            self.end()
            self._asked = spec, seat
            self._begin(spec, seat)
        return spec

    def end(self) -> None:
        """Take the handlers off again."""
        for handler in self._handlers:
            for name in _NAMES:
                logging.getLogger(name).removeHandler(handler)
            handler.close()
        self._handlers, self.file, self._asked = [], None, None

    def _begin(self, spec: LoggingSpec, seat: Seat) -> None:
        self._handlers = [_StandardError()]
        problem = ""
        if spec.logs_dir is not None:
            try:
                self.file = _file_in(Path(spec.logs_dir).expanduser(), seat)
            except OSError as error:
                problem = f"Nothing is logged to {spec.logs_dir} (logs_dir): {error}."
            else:
                self._handlers.append(self.file)
        formatter = formatter_for(spec, seat)
        for handler in self._handlers:
            handler.setFormatter(formatter)
        for name in _NAMES:
            logger = logging.getLogger(name)
            logger.setLevel(spec.log_level)
            logger.propagate = False
            for handler in self._handlers:
                logger.addHandler(handler)
        if problem:
            logger.error(problem)


class _StandardError(logging.StreamHandler):  # type: ignore[type-arg]  # sys.stderr, always
    """Writes to what `sys.stderr` is at that time."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _file_in(directory: Path, seat: Seat) -> logging.Handler:
    """A file for this replica; as Ray Serve names it."""
    directory.mkdir(parents=True, exist_ok=True)
    name = f"replica_{seat.app}_{seat.deployment}_{seat.replica_id}.log"
    path = directory / name.replace("/", "_")
    return RotatingFileHandler(path, maxBytes=_FILE_BYTES, backupCount=_FILES)
