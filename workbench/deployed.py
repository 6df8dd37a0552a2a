"""Follows a deploy to its end, and what it leaves in the caller's hands."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from workbench import errors
from workbench.client import Client
from workbench.handle import DeploymentHandle
from workbench.spec.status import DeployEvent, EventKind

__all__ = ["Deployed", "follow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An application that is live (or, not waited for, on its way)."""

    name: str
    handle: DeploymentHandle
    url: str | None
    """None: it has no route, or the instance no proxy; its handle reaches it."""
    events: tuple[DeployEvent, ...]
    warnings: tuple[str, ...]
    took_s: float


def follow(  # noqa: PLR0913 - all that is known of a deploy
    client: Client,
    events: Iterable[DeployEvent],
    *,
    name: str,
    ingress: str = "",
    wait: bool,
    began_s: float,
    warnings: tuple[str, ...] = (),
) -> Deployed:
    """Wait until it is live; without `wait`, until it has begun.

    `ingress` names the deployment that calls enter; empty where it must be asked for.

    Raises:
        DeployError: it did not come up.
    """
    seen = []
    for event in events:
        seen.append(event)
        if event.kind is EventKind.FAILED:
            raise _deploy_error(event)
        if not wait:
            break
    client.open_handles()
    app = client.status().applications.get(name) if not (ingress and wait) else None
    url = app.url if app is not None else seen[-1].url
    return Deployed(
        name=name,
        handle=DeploymentHandle(app.ingress if app else ingress, name),
        url=url,
        events=tuple(seen),
        warnings=warnings,
        took_s=time.monotonic() - began_s,
    )


def _deploy_error(event: DeployEvent) -> errors.DeployError:
    kind = getattr(errors, event.error, errors.DeployError)
    if not issubclass(kind, errors.DeployError):
        kind = errors.DeployError
    where = f"{event.deployment}: " if event.deployment else ""
    made: errors.DeployError = kind(where + event.message)
    return made
