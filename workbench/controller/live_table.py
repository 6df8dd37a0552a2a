"""The routing table that routers have, and the next one once something has changed."""

from dataclasses import replace

from workbench.controller.observed import Observed
from workbench.controller.publish import Publisher
from workbench.controller.table import TableBuilder
from workbench.controller.target import Target
from workbench.spec.table import Table

__all__ = ["LiveTable"]

# How long a deploy waits for routers to take the new table into use.
_SEEN_S = 2.0


class LiveTable:
    """Numbers tables and publishes those that are new; held by `controller`."""

    def __init__(self, publisher: Publisher, version: int) -> None:
        self._publisher = publisher
        self._builder = TableBuilder()
        self._table = Table(version=version)

    @property
    def version(self) -> int:
        """Of the table that was published last."""
        return self._table.version

    def publish(self, target: Target, replicas: Observed, *, anew: bool) -> None:
        """Publish what follows from these if it is new, or `anew` in any case."""
        table = self._builder.build(target, replicas, self.version)
        if anew or table != self._table:
            self._table = replace(table, version=self.version + 1)
            self._publisher.publish(self._table)

    async def wait_until_seen(self, version: int) -> None:
        """Return once routers use that version, or should long have done so."""
        await self._publisher.wait_until_seen(version, _SEEN_S)
