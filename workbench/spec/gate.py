"""What a new version must stand before it is trusted: requests, and a time of watching.

Front ends take short forms (`Gate.parse`); everything behind them knows only this.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Self

__all__ = ["Gate", "Guard", "Smoke", "checks_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """One HTTP request that the new version must answer well."""

    path: str = "/"
    """Below the application's route."""
    method: str = "GET"
    body: str = ""
    """JSON; empty for none."""
    expect: int = 200
    """Status of the answer."""
    answer: str = ""
    """JSON that the answer must be equal to; empty: anything will do."""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.method, self.path, self.body)))

    @classmethod
    def parse(cls, given: object) -> Self:
        """One request in any of its forms: a path, a path and a body, or a mapping.

        Raises:
            TypeError, ValueError: it is none of these.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, str):
            return cls._made({"path": given})
        if isinstance(given, Mapping):
            return cls._made({str(key): value for key, value in given.items()})
        if isinstance(given, tuple) and len(given) == 2:
            return cls._made({"path": given[0], "json": given[1]})
        msg = (
            "A smoke request is a path, (path, json), or a dict with path, method, "
            f"json, expect and answer; got {given!r}."
        )
        raise TypeError(msg)

    @classmethod
    def _made(cls, given: dict[str, object]) -> Self:
        known = {"path", "method", "json", "expect", "answer"}
        if unknown := sorted(set(given) - known):
            msg = f"A smoke request has no {unknown}; it has {sorted(known)}."
            raise ValueError(msg)
        path, expect = given.get("path", "/"), given.get("expect", 200)
        if not isinstance(path, str) or not path.startswith("/"):
            msg = f"The path of a smoke request starts with '/'; got {path!r}."
            raise ValueError(msg)
        if not isinstance(expect, int) or not 100 <= expect <= 599:
            msg = f"A smoke request expects an HTTP status; got {expect!r}."
            raise ValueError(msg)
        return cls(
            path=path,
            method=str(given.get("method", "POST" if "json" in given else "GET")),
            body=json.dumps(given["json"]) if "json" in given else "",
            expect=expect,
            answer=json.dumps(given["answer"]) if "answer" in given else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Limits for real traffic in the first seconds; past them, back to what was."""

    for_s: float = 5.0
    max_error_rate: float = 0.05
    """Share of requests that may fail, if the version before failed no more often."""
    max_p99_ms: float | None = None
    max_p99_ratio: float | None = None
    """p99 of the new version ÷ that of the one before."""
    min_requests: int = 10
    """Of fewer nothing is judged before the time is over; of latency, nothing at all."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        if not self.for_s > 0:
            msg = f"A guard watches for more than 0 seconds; got {self.for_s!r}."
            raise ValueError(msg)
        if not 0 <= self.max_error_rate <= 1:
            msg = f"max_error_rate is a share from 0 to 1; got {self.max_error_rate!r}."
            raise ValueError(msg)

    @classmethod
    def parse(cls, given: object) -> Self | None:
        """A guard in any of its forms: seconds, True, a mapping; None or False for none.

        Raises:
            TypeError, ValueError: it is none of these.
        """
        if given is None or given is False or isinstance(given, cls):
            return given or None
        if given is True:
            return cls()
        if isinstance(given, int | float):
            return cls(for_s=float(given))
        if not isinstance(given, Mapping):
            msg = f"A guard is a time in seconds, True, or a dict of limits; got {given!r}."
            raise TypeError(msg)
        known = [each.name for each in fields(cls)]
        if unknown := sorted(set(given) - set(known)):
            msg = f"A guard has no {unknown}; it has {known}."
            raise ValueError(msg)
        return cls(**given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Everything that a deploy must stand."""

    smoke: tuple[Smoke, ...] = ()
    checks: str = ""
    """Id of the blob with functions that test a handle; empty if there are none."""
    count_of_checks: int = 0
    guard: Guard | None = None

    @property
    def asks(self) -> int:
        """How many requests and functions a new replica must stand."""
        return len(self.smoke) + self.count_of_checks

    @classmethod
    def parse(cls, smoke: object = (), guard: object = None) -> Self:
        """From what `serve.run` is given; functions are left out (`checks_in`).

        Raises:
            TypeError, ValueError: something in it cannot be.
        """
        requests = [each for each in _listed(smoke) if not callable(each)]
        return cls(smoke=tuple(map(Smoke.parse, requests)), guard=Guard.parse(guard))


def checks_in(smoke: object) -> list[Callable[..., object]]:
    """The functions among what `serve.run` is given."""
    return [each for each in _listed(smoke) if callable(each)]


def _listed(smoke: object) -> list[object]:
    if isinstance(smoke, Iterable) and not _is_one(smoke):
        return list(smoke)
    return [smoke]


def _is_one(smoke: object) -> bool:
    is_pair = isinstance(smoke, tuple) and len(smoke) == 2 and isinstance(smoke[0], str)
    # Two paths are two requests; a path and a body are one.
    is_two = is_pair and isinstance(smoke[1], str) and smoke[1].startswith("/")  # type: ignore[index]
    return isinstance(smoke, str | Mapping | Smoke) or (is_pair and not is_two)
