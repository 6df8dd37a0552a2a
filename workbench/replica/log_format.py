"""How a log record reads in a file or on standard error. Pure."""

import json
import logging

from workbench.request import current_request
from workbench.spec.logging_config import LoggingSpec
from workbench.spec.replica import Seat

__all__ = ["ACCESS_ATTRIBUTES", "formatter_for"]

ACCESS_ATTRIBUTES = ("request_id", "route", "method", "status", "latency_ms")
"""What the record of a request that ended has beside its text."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_ALWAYS = ("levelname", "message", "filename", "lineno", "process")


def formatter_for(spec: LoggingSpec, seat: Seat) -> logging.Formatter:
    """The formatter that a `logging_config` asks for, of a replica's records."""
    made = {"TEXT": _TextFormatter, "JSON": _JsonFormatter}[spec.encoding]
    return made(seat, spec.additional_log_standard_attrs)


class _SeatFormatter(logging.Formatter):
    def __init__(self, seat: Seat, attributes: tuple[str, ...]) -> None:
        super().__init__()
        self._attributes = attributes
        self._seat = seat


class _TextFormatter(_SeatFormatter):
    """`INFO 2026-01-31 12:00:00,000 app_model 1a2b request-id -- text`."""

    def __init__(self, seat: Seat, attributes: tuple[str, ...]) -> None:
        super().__init__(seat, attributes)
        self._who = f"{seat.app}_{seat.deployment} {seat.replica_id}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        words = [
            record.levelname,
            self.formatTime(record),
            self._who,
            _request_id(record),
        ]
        words += [str(getattr(record, name, "")) for name in self._attributes]
        return f"{' '.join(filter(None, words))} -- {record.message}"


class _JsonFormatter(_SeatFormatter):
    """An object on a line; what is logged with `extra` is in it."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        seat, request = self._seat, current_request.get()
        told: dict[str, object] = {
            "asctime": self.formatTime(record),
            **{name: getattr(record, name) for name in _ALWAYS},
            "component_name": "replica",
            "application": seat.app,
            "deployment": seat.deployment,
            "replica": seat.replica_id,
            "request_id": _request_id(record),
            "route": request.route,
            **{name: getattr(record, name, None) for name in self._attributes},
            **{k: v for k, v in vars(record).items() if k not in _STANDARD},
        }
        if record.exc_info:
            told["exc_text"] = self.formatException(record.exc_info)
        return json.dumps({k: v for k, v in told.items() if v != ""}, default=str)


def _request_id(record: logging.LogRecord) -> str:
    """Of the request that it was logged in, or that it tells of."""
    return str(getattr(record, "request_id", current_request.get().request_id))
