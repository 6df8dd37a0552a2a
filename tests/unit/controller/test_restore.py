"""Earlier instances' applications: found, read whole, copied; or refused and kept."""

import asyncio
import os
import socket

import msgspec
import pytest

from tests.unit.controller.world import deployed, make_spec
from workbench.controller import restore
from workbench.controller.checkpoint import Checkpoint, CheckpointStore
from workbench.controller.restore import copy_saved, find_saved, read_saved, save_door
from workbench.controller.saved import SavedFiles
from workbench.controller.target import Target
from workbench.errors import SavedStateError
from workbench.spec.http import HTTPOptions


class Stored:
    """A store right in files."""

    def __init__(self, directory):
        self.files = SavedFiles(directory)

    async def put(self, key, value):
        self.files.put(key, value)

    async def get(self, key):
        return self.files.get(key)

    async def forget(self, key):
        self.files.forget(key)


BLOBS = {"blob-c1": b"code", "args-i1": b"args"}


def save(directory, *, target=None, at=None, **fields):
    """What an instance of one application leaves."""
    target = deployed(make_spec()) if target is None else target
    checkpoint = Checkpoint(target=target, table_version=3, **fields)
    asyncio.run(CheckpointStore(Stored(directory)).write(checkpoint, BLOBS))
    if at is not None:
        os.utime(directory / "checkpoint", (at, at))
    return checkpoint


def content(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_last_one_that_was_deployed_to_is_found(tmp_path):
    save(tmp_path / "old", at=1000)
    save(tmp_path / "new", at=2000)
    unused = Checkpoint(http_port=8000)
    asyncio.run(CheckpointStore(Stored(tmp_path / "unused")).write(unused, {}))
    (tmp_path / "empty").mkdir()

    assert find_saved(tmp_path) == tmp_path / "new"


def test_nothing_saved_is_said(tmp_path):
    with pytest.raises(SavedStateError, match="Nothing to restore"):
        find_saved(tmp_path / "none")
    with pytest.raises(SavedStateError, match="holds nothing"):
        read_saved(tmp_path)


def test_a_copy_begins_with_the_same_applications_and_no_stale_ports(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    before = save(tmp_path / "old", http_port=port, gateway_port=5, wire_port=6)
    left = content(tmp_path / "old")
    saved = read_saved(tmp_path / "old" / "checkpoint")
    assert (saved.checkpoint, saved.directory) == (before, tmp_path / "old")

    copy_saved(saved, tmp_path / "new", http=HTTPOptions())

    copied = read_saved(tmp_path / "new").checkpoint
    assert copied.target == before.target
    assert (copied.http_port, copied.gateway_port, copied.wire_port) == (
        port,
        None,
        None,
    )
    assert "Brought back" in copied.notes[0]
    assert content(tmp_path / "old") == left


def test_a_port_that_is_taken_or_another_one_asked_for_is_not_insisted_on(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        save(tmp_path / "old", http_port=busy.getsockname()[1])
        saved = read_saved(tmp_path / "old")
        copy_saved(saved, tmp_path / "a", http=HTTPOptions())
    copy_saved(saved, tmp_path / "b", http=HTTPOptions(port=8123))

    assert read_saved(tmp_path / "a").checkpoint.http_port is None
    assert read_saved(tmp_path / "b").checkpoint.http_port is None


def test_how_it_listened_comes_back_without_the_password(tmp_path):
    http = HTTPOptions(
        port=8443, ssl_certfile="c", ssl_keyfile="k", ssl_keyfile_password="pw"
    )
    save(tmp_path / "old")
    save_door(tmp_path / "old", http, None, tmp_path)

    found = read_saved(tmp_path / "old")

    assert found.http == HTTPOptions(port=8443, ssl_certfile="c", ssl_keyfile="k")
    assert found.grpc is None
    assert b"pw" not in (tmp_path / "old" / "door").read_bytes()


def test_an_instance_without_a_proxy_comes_back_without_one(tmp_path):
    save(tmp_path / "old")
    http = HTTPOptions(proxy_location="Disabled")
    save_door(tmp_path / "old", http, None, tmp_path)

    assert read_saved(tmp_path / "old").http == http


def harm_checkpoint(directory):
    path = directory / "checkpoint"
    path.write_bytes(path.read_bytes()[:-5])


def lose_code(directory):
    SavedFiles(directory).forget("blob:blob-c1")


def harm_code(directory):
    path = directory / "blob%3Ablob-c1"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def another_format(directory):
    later = msgspec.msgpack.encode({"format": 99, "target": "something else"})
    SavedFiles(directory).put("checkpoint", later)


def no_checkpoint(directory):
    SavedFiles(directory).put("checkpoint", b"\xc1 no msgpack")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (harm_checkpoint, "cut off"),
        (lose_code, "not whole.*blob-c1"),
        (harm_code, "checksum"),
        (another_format, "has format 99"),
        (no_checkpoint, "cannot be read"),
    ],
)
def test_what_is_not_whole_is_refused_by_name_and_kept(tmp_path, harm, words):
    save(tmp_path / "old")
    harm(tmp_path / "old")
    left = content(tmp_path / "old")

    with pytest.raises(SavedStateError, match=words) as refused:
        read_saved(find_saved(tmp_path) if harm is lose_code else tmp_path / "old")

    assert str(tmp_path / "old") in refused.value.message
    assert "kept" in refused.value.hint
    assert content(tmp_path / "old") == left


def test_an_instance_whose_applications_were_all_deleted_is_named(tmp_path):
    save(tmp_path / "old", target=Target())

    assert find_saved(tmp_path) == tmp_path / "old"
    with pytest.raises(SavedStateError, match="no application when it ended"):
        read_saved(tmp_path / "old")


def test_old_ones_make_room_but_not_those_in_use(tmp_path, monkeypatch):
    monkeypatch.setattr(restore, "_KEPT", 2)
    monkeypatch.setattr(restore, "_is_in_use", lambda path: path.name == "i0")
    for number in range(5):
        save(tmp_path / f"i{number}", at=1000 + number)

    save_door(tmp_path / "mine", HTTPOptions(), None, tmp_path)

    assert {each.name for each in tmp_path.iterdir()} == {"mine", "i4", "i0"}


def test_only_what_nobody_deployed_to_is_dropped(tmp_path):
    save(tmp_path / "used", target=Target())
    save_door(tmp_path / "unused", HTTPOptions(), None, tmp_path)

    for name in ("used", "unused", "never"):
        restore.drop_unused(tmp_path / name)

    assert [each.name for each in tmp_path.iterdir()] == ["used"]
