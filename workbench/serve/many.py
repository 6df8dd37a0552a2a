"""Several applications at once: `serve.run_many`."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from workbench import api
from workbench.build import build, project_root
from workbench.deployment import Application
from workbench.handle import DeploymentHandle
from workbench.local import run_local
from workbench.spec.logging_config import parse_logging

__all__ = ["RunTarget", "run_all", "shutdown_async"]

_AT_ONCE = 8


@dataclass(frozen=True)
class RunTarget:
    """One application for `serve.run_many`."""

    target: Application
    name: str = "default"
    route_prefix: str | None = "/"
    logging_config: object = None
    external_scaler_enabled: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be, before anything is deployed."""
        parse_logging(self.logging_config)


def run_all(
    targets: Sequence[RunTarget], *, wait: bool, is_local: bool
) -> list[DeploymentHandle]:
    """Deploy all of them side by side; nothing is deployed if one cannot be packed."""
    names = [each.name for each in targets]
    if not targets or len(set(names)) < len(names):
        msg = f"run_many takes one or more targets, each name once; got {names}."
        raise ValueError(msg)
    if is_local:
        return [run_local(each.target, each.name) for each in targets]
    root = project_root()
    builds = [
        build(
            each.target,
            name=each.name,
            route_prefix=each.route_prefix,
            root=root,
            logging_config=parse_logging(each.logging_config),
            external_scaler_enabled=each.external_scaler_enabled,
        )
        for each in targets
    ]
    first = api.send(builds[0], wait=wait)  # starts the instance, if none runs
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        others = list(threads.map(lambda each: api.send(each, wait=wait), builds[1:]))
    return [each.handle for each in (first, *others)]


async def shutdown_async() -> None:
    """`serve.shutdown` for async code."""
    await asyncio.to_thread(api.shutdown)
