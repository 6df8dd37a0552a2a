"""What is counted of batches, by Ray Serve's names; shown at `GET /api/metrics`.

Each `BatchLane` has one. A batch costs 13 µs, however many items it has; an item nothing.
"""

from workbench.replica.metrics import Counter, Gauge, Histogram

__all__ = ["BatchMetrics"]

_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_PERCENT = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
_TIMES_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
_KEYS = ("function_name",)
_MS_PER_S = 1e3


class BatchMetrics:
    """Of one batched function; those of the same name go on with the same numbers."""

    def __init__(self, function_name: str) -> None:
        self._tags = {"function_name": function_name}
        self._wait = Histogram(
            "serve_batch_wait_time_ms",
            "How long the first item of a batch waited.",
            _TIMES_MS,
            _KEYS,
        )
        self._size = Histogram(
            "serve_actual_batch_size", "Items of a batch.", _SIZES, _KEYS
        )
        self._use = Histogram(
            "serve_batch_utilization_percent",
            "Items of a batch, of those that it may have.",
            _PERCENT,
            _KEYS,
        )
        self._took = Histogram(
            "serve_batch_execution_time_ms",
            "How long a batch ran.",
            _TIMES_MS,
            _KEYS,
        )
        self._batches = Counter("serve_batches_processed", "Batches begun.", _KEYS)
        self._queue = Gauge(
            "serve_batch_queue_length",
            "Items that waited when last a batch began or ended.",
            _KEYS,
        )

    def note_begun(self, size: int, most: int, waited_s: float) -> None:
        """A batch of so many items runs; its first one has waited so long."""
        tags = self._tags
        self._batches.inc(tags=tags)
        self._size.observe(size, tags)
        self._use.observe(100 * size / most, tags)
        self._wait.observe(waited_s * _MS_PER_S, tags)

    def note_ended(self, took_s: float) -> None:
        """A batch has run."""
        self._took.observe(took_s * _MS_PER_S, self._tags)

    def note_queue(self, length: int) -> None:
        """So many items wait."""
        self._queue.set(length, self._tags)
