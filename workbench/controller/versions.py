"""Answers about versions, and brings earlier ones back.

Called by `gateway`. A rollback is a deploy like any other: the least step, its gate,
its events; only that what is deployed comes from the history.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from workbench.controller.checkpoint import CheckpointStore
from workbench.controller.compare import compare
from workbench.controller.target import Target
from workbench.errors import UnknownDeploymentError
from workbench.spec.application import ApplicationSpec, DeployRequest
from workbench.spec.status import DeployEvent
from workbench.spec.versions import VersionDiff, VersionList

__all__ = ["Versions"]


class _Deploy(Protocol):
    """Takes a deploy and tells how it goes."""

    def __call__(
        self, request: DeployRequest, rollback_to: int | None = None
    ) -> AsyncIterator[DeployEvent]: ...


class Versions:
    """What was deployed of each application that there is."""

    def __init__(
        self, store: CheckpointStore, target: Callable[[], Target], deploy: _Deploy
    ) -> None:
        self._store = store
        self._target = target
        self._deploy = deploy

    def list(self, name: str) -> VersionList:
        """What was deployed of an application, newest first.

        Raises:
            UnknownDeploymentError: there is no such application.
        """
        return self._store.history.list(name, self._spec(name))

    async def diff(self, name: str, before: str = "", after: str = "") -> VersionDiff:
        """What changed from one version to another; to what should run now.

        Raises:
            UnknownDeploymentError: there is no such application.
            UnknownVersionError: there is no such version, or its code is gone.
        """
        spec, history = self._spec(name), self._store.history
        current = history.current(name, spec)
        number = current.number if current else 0
        new = history.find(name, after or number)
        old = history.find(name, before) if before else history.previous(name, spec)
        # Both stay readable, whatever is deployed meanwhile.
        blobs = {
            each: self._store.blob(each) for each in old.blob_ids() | new.blob_ids()
        }
        return await asyncio.to_thread(
            compare, name, old, new, current=number, blob=blobs.__getitem__
        )

    async def rollback(
        self, name: str, version: str = ""
    ) -> AsyncIterator[DeployEvent]:
        """Deploy a version again; without its name, the one that was live before.

        Raises:
            UnknownDeploymentError: there is no such application.
            UnknownVersionError: there is no such version, or its code is gone.
        """
        spec, history = self._spec(name), self._store.history
        record = (
            history.find(name, version) if version else history.previous(name, spec)
        )
        async for event in self._deploy(record.request, record.number):
            yield event

    def _spec(self, name: str) -> ApplicationSpec:
        applications = self._target().applications
        if name not in applications:
            there = ", ".join(sorted(applications)) or "none"
            msg = f"There is no application {name!r}; there is {there}."
            raise UnknownDeploymentError(msg)
        return applications[name].spec
