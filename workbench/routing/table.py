"""Which application a path belongs to; no I/O. Called by `dispatch` for the proxy."""

from workbench.spec.table import RouteEntry, Table, TableChange

__all__ = ["RouteIndex"]


class RouteIndex:
    """The routes of the table, ready to be asked."""

    def __init__(self, table: Table) -> None:
        # The prefix "/" stands under "", as every other stands without a last slash.
        self._routes = {_stem(route.prefix): route for route in table.routes}
        self._longest = max(map(len, self._routes), default=0)

    def change(self, change: TableChange) -> None:
        """Take over what changed in the table."""
        for prefix in change.routes_gone:
            self._routes.pop(_stem(prefix), None)
        for route in change.routes:
            stem = _stem(route.prefix)
            self._routes[stem] = route
            # Not less when the longest goes: it is a bound, and to find the next one
            # would take a look at every route.
            self._longest = max(self._longest, len(stem))

    def match(self, path: str) -> RouteEntry | None:
        """Find the longest prefix that ends at the path's end or at one of its slashes.

        No more of the path is looked at than the longest prefix and one character, so
        that a path of many slashes costs no more than another.
        """
        start = path[: self._longest + 1]
        while (route := self._routes.get(start)) is None:
            cut = start.rfind("/")
            if cut < 0:
                return None
            start = start[:cut]
        return route

    def apps(self) -> dict[str, str]:
        """Say which prefix leads to which application."""
        return {route.prefix: route.app for route in self._routes.values()}


def _stem(prefix: str) -> str:
    return prefix.rstrip("/")
