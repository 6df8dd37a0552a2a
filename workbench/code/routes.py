"""What a web application is made of, for its hash.

Starlette's and FastAPI's objects hold much that they worked out from their arguments,
some of it different in every process. The arguments are attributes of the same names;
those, and the parts that are added later, say all.
"""

import functools
import inspect
import sys
from typing import Any

__all__ = ["is_routing", "made_of"]

_ADDED_LATER = frozenset(
    {
        "dependency_overrides",
        "exception_handlers",
        "lifespan_context",
        "router",
        "routes",
        "state",
        "user_middleware",
    }
)


def is_routing(value: object) -> bool:
    """Whether it is an application, a router or a route of Starlette or FastAPI."""
    applications: Any = sys.modules.get("starlette.applications")
    routing: Any = sys.modules.get("starlette.routing")
    if routing is None:
        return False
    if isinstance(value, routing.Router | routing.BaseRoute):
        return True
    return applications is not None and isinstance(value, applications.Starlette)


def made_of(value: object) -> dict[str, object]:
    """Its attributes that somebody chose; those with an underscore are caches."""
    kind: Any = type(value)
    names = _parameters(kind) | _ADDED_LATER
    attributes = vars(value)
    return {name: attributes[name] for name in sorted(names) if name in attributes}


@functools.cache
def _parameters(kind: Any) -> frozenset[str]:
    found: set[str] = set()
    for base in kind.__mro__[:-1]:
        if "__init__" in vars(base):
            found.update(inspect.signature(base.__init__).parameters)
    return frozenset(name for name in found if not name.startswith("_"))
