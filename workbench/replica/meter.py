"""What a replica tells of itself every beat: its calls, and what its process uses."""

from workbench.observe.beat import BEAT_S
from workbench.observe.usage import CpuMeter, resident_bytes
from workbench.replica.replica import Replica
from workbench.replica.scaling_stats import ScalingStats
from workbench.replica.server import ReplicaServer
from workbench.wire.messages import Ended, ReplicaMeasured

__all__ = ["ReplicaMeter"]

# Even a replica at rest tells this often what it uses.
_REST_BEATS = round(2.0 / BEAT_S)


class ReplicaMeter:
    """Asked once a beat, on the I/O loop."""

    def __init__(
        self, replica: Replica, server: ReplicaServer, stats: ScalingStats
    ) -> None:
        self._replica = replica
        self._server = server
        self._stats = stats
        self._told_stats: dict[str, float] = {}
        self._cpu = CpuMeter()
        self._silent_beats = _REST_BEATS
        self._had_ongoing = False

    def measure(self) -> ReplicaMeasured | None:
        """What there is to tell; None: nothing yet, or nothing new."""
        seat = self._replica.seat
        ongoing = self._server.ongoing
        buckets, errors = self._server.ended.take()
        is_at_rest = not (buckets or errors or ongoing or self._had_ongoing)
        is_at_rest = is_at_rest and self._stats.latest == self._told_stats
        self._had_ongoing = ongoing > 0
        self._silent_beats += 1
        if seat is None or (is_at_rest and self._silent_beats < _REST_BEATS):
            return None
        self._silent_beats = 0
        self._told_stats = self._stats.latest
        return ReplicaMeasured(
            id=seat.replica_id,
            deployment=f"{seat.app}#{seat.deployment}",
            calls=Ended(dict(buckets), errors),
            ongoing=ongoing,
            cpu_cores=round(self._cpu.read(), 3),
            memory_bytes=resident_bytes(),
            stats=self._told_stats,
        )
