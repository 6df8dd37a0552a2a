"""What the controller must know again after a crash, in the cluster's own store."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
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
        self._stored_histories: dict[str, tuple[Record, ...]] = {}
        self._blobs: dict[str, bytes] = {}
        self._new_blobs: dict[str, bytes] = {}
        """Those of them that are not stored yet."""
        self._newest = Checkpoint()
        self._taken = self._stored = 0
        """How many checkpoints, of which `_newest` is the last."""
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

    def write(
        self,
        checkpoint: Checkpoint,
        blobs: Mapping[str, bytes],
        history: History | None = None,
    ) -> Coroutine[None, None, None]:
        """Take up the checkpoint, new blobs and what is new in the history, at once.

        What is returned stores them, and all that was taken up before its turn came:
        writes that wait for one another cost one. Blobs can be had from here at once.
        Those that nothing needs are forgotten, and so is the code of versions that the
        history has no room for.
        """
        new = {key: blob for key, blob in blobs.items() if key not in self._blobs}
        self._blobs |= new
        self._new_blobs |= new
        if history is not None and history is not self.history:
            self._take_history(history)
        self._newest = checkpoint
        self._taken += 1
        return self._store_up_to(self._taken)

    async def _store_up_to(self, number: int) -> None:
        async with self._turn:
            if self._stored < number:  # else one that waited before us has done it
                await self._store_newest()

    async def _store_newest(self) -> None:
        taken, checkpoint, history = self._taken, self._newest, self.history
        needed = checkpoint.target.blob_ids() | self._history_blobs
        new = dict(self._new_blobs)
        await asyncio.gather(
            *(self._store.put(f"blob:{key}", blob) for key, blob in new.items())
        )
        # Side by side: each is of use without the other, and somebody waits.
        await asyncio.gather(
            self._write_histories(history),
            self._store.put("checkpoint", msgspec.msgpack.encode(checkpoint)),
        )
        self._stored = taken
        self._new_blobs = {k: v for k, v in self._new_blobs.items() if k not in new}
        # What has been taken up meanwhile may need what this does not.
        needed |= self._newest.target.blob_ids() | self._history_blobs
        unneeded = set(self._blobs) - needed
        # First all of them from here: one that is taken up from now on is stored anew.
        for blob_id in unneeded:
            del self._blobs[blob_id]
        for blob_id in unneeded:
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
        self._stored_histories = dict(found)
        self._take_history(replace(self.history, applications=found))

    async def _write_histories(self, history: History) -> None:
        stored = self._stored_histories
        for name, records in history.applications.items():
            if stored.get(name) != records:
                data = msgspec.msgpack.encode(records)
                await self._store.put(f"history:{name}", data)
                stored[name] = records
        for name in set(stored) - set(history.applications):
            await self._store.forget(f"history:{name}")
            del stored[name]
