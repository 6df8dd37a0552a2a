"""What the controller must know again after a crash, in the cluster's own store."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from workbench.controller.target import Target
from workbench.errors import WorkbenchError

__all__ = ["Checkpoint", "CheckpointStore", "Store"]

_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything but the blobs, which are stored once each under their hash."""

    format: int = _FORMAT
    target: Target = field(default_factory=Target)
    table_version: int = 0
    http_port: int | None = None
    grpc_port: int | None = None
    gateway_port: int | None = None
    wire_port: int | None = None
    notes: tuple[str, ...] = ()


class Store(Protocol):
    """A key-value store that outlives the controller."""

    async def put(self, key: str, value: bytes) -> None: ...
    async def get(self, key: str) -> bytes | None: ...
    async def forget(self, key: str) -> None: ...


class CheckpointStore:
    """Reads and writes checkpoints and blobs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._blobs: dict[str, bytes] = {}
        self._needed: set[str] = set()
        """By the newest checkpoint, stored or about to be."""
        self._turn = asyncio.Lock()

    async def read(self) -> Checkpoint:
        """The last checkpoint, or a first one.

        Raises:
            WorkbenchError: it cannot be read; it is left as it is.
        """
        data = await self._store.get("checkpoint")
        if data is None:
            return Checkpoint()
        try:
            found = msgspec.msgpack.decode(data, type=Checkpoint)
        except msgspec.DecodeError as error:
            msg = f"The controller's checkpoint cannot be read: {error}."
            hint = "It is kept. Start a new instance to begin without it."
            raise WorkbenchError(msg, hint) from None
        for blob_id in found.target.blob_ids():
            self._blobs[blob_id] = await self._store.get(f"blob:{blob_id}") or b""
        return found

    async def write(self, checkpoint: Checkpoint, blobs: dict[str, bytes]) -> None:
        """Store the checkpoint and new blobs; forget blobs that nothing needs.

        Blobs can be had from here at once. What is written while another write goes on
        is stored after it, and none forgets what a later one needs.
        """
        self._needed = checkpoint.target.blob_ids()
        new = {key: blob for key, blob in blobs.items() if key not in self._blobs}
        self._blobs.update(new)
        async with self._turn:
            for blob_id, blob in new.items():
                await self._store.put(f"blob:{blob_id}", blob)
            await self._store.put("checkpoint", msgspec.msgpack.encode(checkpoint))
            kept = checkpoint.target.blob_ids()
            for blob_id in set(self._blobs) - kept - self._needed:
                del self._blobs[blob_id]
                await self._store.forget(f"blob:{blob_id}")

    def blob(self, blob_id: str) -> bytes:
        """A blob that the current target (or the one before) needs."""
        return self._blobs[blob_id]
