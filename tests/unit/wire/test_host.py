"""The name of a machine."""

from workbench.wire.host import host_id


def test_it_is_the_same_each_time_and_says_nothing_of_the_machine():
    assert host_id() == host_id.__wrapped__()
    assert len(host_id()) == 16
    assert int(host_id(), 16)
