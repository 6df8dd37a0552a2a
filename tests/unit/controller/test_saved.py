"""Saved values are whole, or refused and left as they are."""

import json
import stat

import pytest

from workbench.controller.saved import SavedFiles
from workbench.errors import SavedStateError


@pytest.fixture
def files(tmp_path):
    return SavedFiles(tmp_path / "state" / "ab12")


def test_what_was_put_is_got_until_it_is_forgotten(files):
    files.put("blob:a/b", b"first\nline")
    files.put("blob:a/b", b"newer\nline")

    assert files.get("blob:a/b") == b"newer\nline"
    assert files.keys() == ["blob:a/b"]
    files.forget("blob:a/b")
    files.forget("blob:a/b")
    assert files.get("blob:a/b") is None
    assert files.keys() == []


def test_nobody_else_can_read_it(files):
    files.put("checkpoint", b"code")

    mode = lambda path: stat.S_IMODE(path.stat().st_mode)  # noqa: E731
    assert mode(files.directory) == 0o700
    assert mode(files.directory / "checkpoint") == 0o600


def test_half_a_write_of_a_killed_process_harms_nothing(files):
    files.put("checkpoint", b"old")
    (files.directory / "checkpoint.part").write_bytes(b"ha")

    assert files.get("checkpoint") == b"old"
    assert files.keys() == ["checkpoint"]
    files.put("checkpoint", b"new")
    assert files.get("checkpoint") == b"new"


def cut(content):
    return content[:-2]


def flip(content):
    return content[:-1] + bytes([content[-1] ^ 1])


def another_head(**changes):
    def change(content):
        first, _, value = content.partition(b"\n")
        return json.dumps(json.loads(first) | changes).encode() + b"\n" + value

    return change


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "cut off: 8 of 10 bytes"),
        (flip, "damaged: its content does not match its checksum"),
        (lambda _: b"", "damaged, or nothing that Workbench has saved"),
        (lambda _: b"\x00" * 5000, "damaged, or nothing that Workbench has saved"),
        (another_head(**{"workbench-saved": 7, "workbench": "9.1"}), "Workbench 9.1"),
        (another_head(python="3.4"), "saved by Python 3.4"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name_and_kept(files, harm, words):
    files.put("checkpoint", b"0123456789")
    path = files.directory / "checkpoint"
    harmed = harm(path.read_bytes())
    path.write_bytes(harmed)

    with pytest.raises(SavedStateError, match=words) as refused:
        files.get("checkpoint")

    assert str(path) in refused.value.message
    assert path.read_bytes() == harmed
