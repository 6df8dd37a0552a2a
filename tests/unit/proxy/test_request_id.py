"""Request ids."""

import itertools
import uuid

import pytest

from workbench.proxy.request_id import accept_id, new_ids


def test_new_ids_are_different_uuids_of_version_4():
    ids = list(itertools.islice(new_ids(), 1000))

    assert len(set(ids)) == 1000
    assert {uuid.UUID(each).version for each in ids} == {4}
    assert {uuid.UUID(each).hex for each in ids} == set(ids)


@pytest.mark.parametrize("given", [b"x", b"a-b_c.d:e/f", b"x" * 128])
def test_a_printable_id_of_bounded_length_is_accepted(given):
    assert accept_id(given) == given.decode()


@pytest.mark.parametrize("given", [b"", b" ", b"a\tb", b"\x7f", b"\xff", b"x" * 129])
def test_any_other_is_not(given):
    assert accept_id(given) is None
