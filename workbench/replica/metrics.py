"""`serve.metrics`: counters, gauges and histograms of user code.

Kept in this process and told to the controller, which shows them with those of all
other replicas at `GET /api/metrics`, in Prometheus' text format. Cheap enough for every
request: a counter's `inc` takes about a microsecond.
"""

import asyncio
import bisect
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from workbench.errors import WorkbenchError
from workbench.replica.context import get_replica_context
from workbench.request import current_request
from workbench.wire.messages import Message, MetricPoint, UserMetrics

__all__ = ["Counter", "Gauge", "Histogram", "metric_points", "tell_metrics"]

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_TELL_S = 2.0
# A controller that began anew has to hear of what does not change, too.
_EVEN_IF_SAME = 5
_AUTOMATIC = ("application", "deployment", "replica")

Tags = Mapping[str, str]


class _Metric:
    """What the three kinds share: a name, tags, and a value for each set of tags."""

    _kind = ""

    def __init__(
        self,
        name: str,
        description: str = "",
        tag_keys: tuple[str, ...] | None = None,
    ) -> None:
        given: object = name
        if not isinstance(given, str) or not _NAME.fullmatch(given):
            msg = f"A metric's name has letters, digits, '_' and ':'; got {name!r}."
            raise ValueError(msg)
        self._name = name
        self._description = description
        self._keys = _checked_keys(tag_keys)
        self._defaults: dict[str, str] = {}
        self._lock = threading.Lock()
        self._values: dict[tuple[str, ...], list[float]] = _known(self)

    @property
    def info(self) -> dict[str, object]:
        """Name, description, tag keys and default tags."""
        return {
            "name": self._name,
            "description": self._description,
            "tag_keys": self._keys,
            "default_tags": dict(self._defaults),
        }

    def set_default_tags(self, default_tags: Tags) -> None:
        """Values of tags for calls that do not give them.

        Raises:
            ValueError: a key that is not among the metric's.
        """
        self._check(default_tags)
        self._defaults = {key: str(value) for key, value in default_tags.items()}

    def points(self) -> Iterable[MetricPoint]:
        """The values now, one for each set of tags."""
        with self._lock:
            values = {tags: list(numbers) for tags, numbers in self._values.items()}
        for tags, numbers in values.items():
            found = dict(zip(self._keys, tags, strict=True)) | _automatic_tags()
            yield self._point({k: v for k, v in found.items() if v}, numbers)

    def _point(self, tags: dict[str, str], numbers: list[float]) -> MetricPoint:
        return MetricPoint(self._name, self._kind, self._description, tags, numbers)

    def _tags(self, given: Tags | None) -> tuple[str, ...]:
        if given:
            self._check(given)
        found = {
            "route": current_request.get().route,
            **self._defaults,
            **(given or {}),
        }
        return tuple(str(found.get(key, "")) for key in self._keys)

    def _check(self, tags: Tags) -> None:
        if unknown := sorted(set(tags) - set(self._keys)):
            msg = (
                f"Metric {self._name} has no tag {unknown[0]!r}; "
                f"its tag_keys are {self._keys}."
            )
            raise ValueError(msg)


class Counter(_Metric):
    """A number that only rises, such as of requests."""

    _kind = "counter"

    def inc(self, value: float = 1.0, tags: Tags | None = None) -> None:
        """Raise it.

        Raises:
            ValueError: `value` is not positive, or a tag is unknown.
        """
        if value <= 0:
            msg = f"A counter rises by more than 0; got {value!r}."
            raise ValueError(msg)
        key = self._tags(tags)
        with self._lock:
            self._values.setdefault(key, [0.0])[0] += value


class Gauge(_Metric):
    """A number that goes up and down, such as of items in a cache."""

    _kind = "gauge"

    def set(self, value: float, tags: Tags | None = None) -> None:
        """Set it.

        Raises:
            ValueError: a tag is unknown.
        """
        key = self._tags(tags)
        with self._lock:
            self._values[key] = [float(value)]


class Histogram(_Metric):
    """How often values fell between boundaries, such as durations."""

    _kind = "histogram"

    def __init__(
        self,
        name: str,
        description: str = "",
        boundaries: Sequence[float] = (),
        tag_keys: tuple[str, ...] | None = None,
    ) -> None:
        if not boundaries or list(boundaries) != sorted(set(boundaries)):
            msg = f"boundaries of {name} must be given and rise; got {boundaries!r}."
            raise ValueError(msg)
        self._boundaries = tuple(map(float, boundaries))
        super().__init__(name, description, tag_keys)

    def observe(self, value: float, tags: Tags | None = None) -> None:
        """Count a value.

        Raises:
            ValueError: a tag is unknown.
        """
        key = self._tags(tags)
        place = bisect.bisect_left(self._boundaries, value)
        with self._lock:
            numbers = self._values.get(key)
            if numbers is None:
                # The sum, then how many fell below each boundary, then above the last.
                numbers = self._values[key] = [0.0] * (len(self._boundaries) + 2)
            numbers[0] += value
            numbers[place + 1] += 1

    def _point(self, tags: dict[str, str], numbers: list[float]) -> MetricPoint:
        bounds = list(self._boundaries)
        return MetricPoint(
            self._name, self._kind, self._description, tags, numbers, bounds
        )


_metrics: dict[str, _Metric] = {}
_all_lock = threading.Lock()


def metric_points() -> list[MetricPoint]:
    """All metrics of this process."""
    with _all_lock:
        metrics = list(_metrics.values())
    return [point for metric in metrics for point in metric.points()]


async def tell_metrics(tell: Callable[[Message], bool]) -> None:
    """Tell the controller of them every other second, until cancelled."""
    told: list[MetricPoint] = []
    same = 0
    while True:
        await asyncio.sleep(_TELL_S)
        points = metric_points()
        same = same + 1 if points == told else 0
        is_news = points and same % _EVEN_IF_SAME == 0
        if is_news and tell(UserMetrics(points)):
            told = points


def _known(metric: _Metric) -> dict[tuple[str, ...], list[float]]:
    """The values of the metric of this name, if it was made before.

    Code that is loaded again, or a second object of a class, goes on with them.
    """
    name, info = metric._name, metric.info  # noqa: SLF001 - same file
    with _all_lock:
        before = _metrics.get(name)
        _metrics[name] = metric
    if before is None:
        return {}
    same = type(before) is type(metric) and before.info["tag_keys"] == info["tag_keys"]
    bounds = getattr(before, "_boundaries", ()), getattr(metric, "_boundaries", ())
    return before._values if same and bounds[0] == bounds[1] else {}  # noqa: SLF001


def _checked_keys(keys: object) -> tuple[str, ...]:
    if keys is None:
        return ()
    if not isinstance(keys, tuple) or not all(isinstance(key, str) for key in keys):
        msg = f"tag_keys is a tuple of texts; got {keys!r}."
        raise TypeError(msg)
    if taken := [key for key in keys if key in _AUTOMATIC]:
        msg = f"The tag {taken[0]!r} is set by itself; leave it out of tag_keys."
        raise ValueError(msg)
    return keys


def _automatic_tags() -> dict[str, str]:
    """Where this process stands; nothing outside a replica."""
    try:
        here = get_replica_context()
    except WorkbenchError:
        return {}
    return dict(
        zip(_AUTOMATIC, (here.app_name, here.deployment, here.replica_id), strict=True)
    )
