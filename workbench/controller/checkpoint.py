"""What the controller must know again after a crash, in the cluster's own store."""

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec

from workbench.controller.history import History, Record
from workbench.controller.target import Target
from workbench.errors import SavedStateError

__all__ = ["Checkpoint", "CheckpointStore", "Store"]

_log = logging.getLogger("workbench.controller")

_FORMAT = 1
_KEPT_VERSIONS = History().most_kept


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


class _Marked(msgspec.Struct):
    """What is the same in every format."""

    format: int


class Store(Protocol):
    """A key-value store that outlives the controller."""

    async def put(self, key: str, value: bytes) -> None: ...
    async def get(self, key: str) -> bytes | None: ...
    async def forget(self, key: str) -> None: ...


class CheckpointStore:
    """Reads and writes checkpoints, histories and blobs."""

    def __init__(self, store: Store, kept_versions: int = _KEPT_VERSIONS) -> None:
        self._store = store
        self.history = History(most_kept=kept_versions)
        """As stored, or about to be: one value for each application, so that a change
        of one does not write all others again."""
        self._kept_by_app: dict[str, set[str]] = {}
        self._history_blobs: set[str] = set()
        self._stored: dict[str, tuple[Record, ...]] = {}
        self._blobs: dict[str, bytes] = {}
        self._needed: set[str] = set()
        """By the newest checkpoint, stored or about to be."""
        self._turn = asyncio.Lock()

    async def read(self) -> Checkpoint:
        """The last checkpoint, or a first one.

        Raises:
            SavedStateError: it cannot be read; it is left as it is.
        """
        data = await self._store.get("checkpoint")
        if data is None:
            return Checkpoint()
        found = self.decode(data, "The controller's checkpoint")
        await self._read_histories(found.target)
        for blob_id in found.target.blob_ids() | self._history_blobs:
            self._blobs[blob_id] = await self._store.get(f"blob:{blob_id}") or b""
        return found

    @staticmethod
    def decode(data: bytes, name: str) -> Checkpoint:
        """What `write` has stored.

        Raises:
            SavedStateError: it is of another format, or none; `name` is in the message.
        """
        try:
            marked = msgspec.msgpack.decode(data, type=_Marked)
            if marked.format == _FORMAT:
                return msgspec.msgpack.decode(data, type=Checkpoint)
        except msgspec.DecodeError as error:
            msg = f"{name} cannot be read: {error}."
            raise SavedStateError(msg) from None
        msg = f"{name} has format {marked.format}; this Workbench reads {_FORMAT}."
        raise SavedStateError(msg)

    async def write(
        self,
        checkpoint: Checkpoint,
        blobs: dict[str, bytes],
        history: History | None = None,
    ) -> None:
        """Store the checkpoint, new blobs and what is new in the history.

        Blobs that nothing needs are forgotten, and so is the code of versions that the
        history has no room for.

        Blobs can be had from here at once. What is written while another write goes on
        is stored after it, and none forgets what a later one needs.
        """
        new = {key: blob for key, blob in blobs.items() if key not in self._blobs}
        self._blobs.update(new)
        if history is not None and history is not self.history:
            self._take_history(history)
        history = self.history
        kept = checkpoint.target.blob_ids() | self._history_blobs
        self._needed = kept
        async with self._turn:
            await asyncio.gather(
                *(self._store.put(f"blob:{key}", blob) for key, blob in new.items())
            )
            # Side by side: each is of use without the other, and a deploy waits.
            await asyncio.gather(
                self._write_histories(history),
                self._store.put("checkpoint", msgspec.msgpack.encode(checkpoint)),
            )
            for blob_id in set(self._blobs) - kept - self._needed:
                del self._blobs[blob_id]
                await self._store.forget(f"blob:{blob_id}")

    def blob(self, blob_id: str) -> bytes:
        """A blob that the current target, the one before or the history needs."""
        return self._blobs[blob_id]

    def _take_history(self, history: History) -> None:
        if sum(map(len, self._blobs.values())) > history.most_bytes:
            history = history.bounded(self._size_of)
        # With 10,000 records: 3 ms; looking at all of them again would take 27 ms.
        before, self._kept_by_app = self._kept_by_app, {}
        for name, records in history.applications.items():
            is_same = self.history.applications.get(name) is records and name in before
            self._kept_by_app[name] = (
                before[name] if is_same else history.blob_ids_of(name)
            )
        self.history = history
        self._history_blobs = set().union(*self._kept_by_app.values())

    def _size_of(self, blob_id: str) -> int:
        return len(self._blobs.get(blob_id, b""))

    async def _read_histories(self, target: Target) -> None:
        found: dict[str, tuple[Record, ...]] = {}
        for name in target.applications:
            data = await self._store.get(f"history:{name}")
            if data is None:
                continue
            try:
                found[name] = msgspec.msgpack.decode(data, type=tuple[Record, ...])
            except msgspec.DecodeError:
                # What runs does not depend on it: it begins anew.
                _log.exception("The history of %s cannot be read", name)
        self._stored = dict(found)
        self._take_history(replace(self.history, applications=found))

    async def _write_histories(self, history: History) -> None:
        for name, records in history.applications.items():
            if self._stored.get(name) != records:
                self._stored[name] = records
                data = msgspec.msgpack.encode(records)
                await self._store.put(f"history:{name}", data)
        for name in set(self._stored) - set(history.applications):
            del self._stored[name]
            await self._store.forget(f"history:{name}")
