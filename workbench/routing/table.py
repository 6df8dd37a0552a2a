"""Which application a path belongs to; no I/O. Called by `dispatch` for the proxy."""

from workbench.spec.table import RouteEntry, Table

__all__ = ["RouteIndex"]


class RouteIndex:
    """The routes of one table, ready to be asked."""

    def __init__(self, table: Table) -> None:
        # The prefix "/" stands under "", as every other stands without a last slash.
        self._routes = {route.prefix.rstrip("/"): route for route in table.routes}
        self._longest = max(map(len, self._routes), default=0)

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
