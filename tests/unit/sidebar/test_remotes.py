"""Remote instances outlive the server, in a file for its owner alone."""

import stat

import pytest

from workbench.sidebar.contact import Contact
from workbench.sidebar.remotes import RemoteStore


def contact(id_, url="http://host", token="t"):
    return Contact(id=id_, url=url, token=token, is_remote=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "below" / "remotes.json"


def test_what_was_added_is_there_for_the_next_server(path):
    RemoteStore(path).add(contact("a"))
    RemoteStore(path).add(contact("b", url="http://other"))

    assert RemoteStore(path).read() == [contact("a"), contact("b", url="http://other")]


def test_nobody_else_can_read_it(path):
    RemoteStore(path).add(contact("a"))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_connecting_again_replaces_the_token(path):
    RemoteStore(path).add(contact("a", token="old"))
    RemoteStore(path).add(contact("b", token="new"))

    assert RemoteStore(path).read() == [contact("b", token="new")]


def test_forgetting_says_whether_there_was_anything(path):
    store = RemoteStore(path)
    store.add(contact("a"))

    assert (store.remove("a"), store.remove("a"), store.read()) == (True, False, [])


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"id": "a"}]', '{"id": 1}'])
def test_a_file_that_cannot_be_read_counts_as_empty(path, text):
    path.parent.mkdir()
    path.write_text(text)

    assert RemoteStore(path).read() == []
