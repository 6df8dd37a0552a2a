"""Import path `ray.serve.config`: how the proxy listens."""

from dataclasses import fields

from workbench.spec.http import HTTPOptions

__all__ = ["HTTPOptions", "http_options"]

_MOVED = {"http_host": "host", "http_port": "port"}


def http_options(given: HTTPOptions | dict[str, object] | None) -> HTTPOptions | None:
    """Check what a user gave for HTTPOptions.

    Raises:
        ValueError: an unknown option, named with those that exist.
    """
    if given is None or isinstance(given, HTTPOptions):
        return given
    known = {field.name for field in fields(HTTPOptions)}
    for name in given:
        if name not in known:
            better = f"; use {_MOVED[name]!r}" if name in _MOVED else ""
            msg = f"Unknown HTTP option {name!r}{better}; known are {sorted(known)}."
            raise ValueError(msg)
    return HTTPOptions(**given)  # type: ignore[arg-type]  # checked by name above
