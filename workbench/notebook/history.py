"""The last minutes of samples, and what of them concerns one application. Pure."""

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter

from workbench.spec.metrics import Sample
from workbench.spec.status import ServeStatus

__all__ = ["WINDOW_S", "History", "sample_of", "status_of"]

WINDOW_S = 300.0
"""How far back panels look."""

_AT = attrgetter("at_s")


class History:
    """Samples of the last minutes, oldest first, each moment once."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._samples: list[Sample] = []
        self.merge(samples)

    @property
    def samples(self) -> Sequence[Sample]:
        """All of them."""
        return tuple(self._samples)

    @property
    def newest_at_s(self) -> float:
        """When the newest was measured; 0 while there is none."""
        return self._samples[-1].at_s if self._samples else 0.0

    def merge(self, samples: Iterable[Sample]) -> None:
        """Add what is missing; of a moment known already, the known sample stays.

        Samples of the past come without replicas, those seen live have them.
        """
        known = {sample.at_s for sample in self._samples}
        for sample in samples:
            if sample.at_s not in known:
                insort(self._samples, sample, key=_AT)
        self._trim()

    def push(self, sample: Sample) -> None:
        """Add the newest."""
        self._samples.append(sample)
        self._trim()

    def clear(self) -> None:
        """Forget all."""
        self._samples.clear()

    def _trim(self) -> None:
        if self._samples:
            oldest = self._samples[-1].at_s - WINDOW_S
            while self._samples[0].at_s < oldest:
                del self._samples[0]


def sample_of(app: str, sample: Sample) -> Sample:
    """The sample with only what concerns `app`."""
    prefix = f"{app}#"
    return replace(
        sample,
        applications={
            name: one for name, one in sample.applications.items() if name == app
        },
        deployments={
            key: one
            for key, one in sample.deployments.items()
            if key.startswith(prefix)
        },
        replicas={
            key: one
            for key, one in sample.replicas.items()
            if one.deployment.startswith(prefix)
        },
    )


def status_of(app: str, status: ServeStatus) -> ServeStatus:
    """The status with only what a panel of `app` shows.

    Other applications keep their names, which an empty panel lists.
    """
    found = {
        name: one if name == app else replace(one, deployments={}, message="")
        for name, one in status.applications.items()
    }
    return replace(status, applications=found, proxies={})
