"""The user's object in a replica, and the ways into it.

Built by `build` and `swap`, asked by `server` and `method_call`. It never changes: new
code makes a new one, and calls that began with the old one finish with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.spec.deployment import Kind

if TYPE_CHECKING:
    from workbench.replica.http_entry import HttpEntry
    from workbench.replica.lifespan import Lifespan

__all__ = ["UserCode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCode:
    """An instance, or a function, and how HTTP enters it."""

    kind: Kind
    target: Callable[..., Any]
    """The class; or the function itself."""
    servable: object
    """The instance; or the function itself."""
    http: "HttpEntry"
    lifespan: "Lifespan | None" = None
    """Of the ASGI app, if there is one."""

    def find(self, name: str) -> Callable[..., Any] | None:
        """The method of that name, if a handle may call it."""
        if name == "__call__":
            return self.servable if callable(self.servable) else None
        if self.kind is Kind.FUNCTION or name.startswith("__"):
            return None
        method = getattr(self.servable, name, None)
        return method if callable(method) else None

    def method_names(self) -> list[str]:
        """Methods that handles may call, for the error about one that is not there."""
        names = ["__call__"] if callable(self.servable) else []
        if self.kind is Kind.FUNCTION:
            return names
        return names + [
            name
            for name in dir(self.target)
            if not name.startswith("_") and callable(getattr(self.target, name, None))
        ]
