"""Memory that other processes can see: stored, kept while it is used, used again."""

import os
import threading
from pathlib import Path

import pytest

from workbench.wire.arrays import SharedMemory

KB, MB = 1024, 1024 * 1024


@pytest.fixture
def memory():
    return SharedMemory(max_bytes=4 * MB, max_count=4)


def store(memory, data):
    stored = memory.store(memoryview(data))
    assert stored is not None
    return stored


def test_what_is_stored_can_be_read_here(memory):
    data = os.urandom(300 * KB)
    view, _ = store(memory, data)

    assert view == data


def test_memory_is_used_again_once_nothing_refers_to_it(memory):
    view, first = store(memory, b"a" * MB)
    part = view[10:20]
    del view
    _, second = store(memory, b"b" * MB)

    assert first != second
    assert part == b"a" * 10
    del part
    assert store(memory, b"c" * (MB - 5))[1] == first


def test_a_longer_value_in_used_memory_is_whole(memory):
    first = store(memory, b"a" * (600 * KB))[1]
    data = os.urandom(MB)
    view, second = store(memory, data)

    assert first == second
    assert view == data


def test_when_all_is_in_use_nothing_more_is_stored(memory):
    held = [store(memory, bytes(MB)) for _ in range(4)]

    assert memory.store(memoryview(bytes(MB))) is None
    held.pop()
    assert memory.store(memoryview(bytes(MB))) is not None


def test_a_segment_has_no_name_anywhere(memory):
    _, number = store(memory, bytes(MB))
    descriptor, _, capacity = memory.where(number)

    assert Path(f"/proc/self/fd/{descriptor}").readlink().name.endswith(" (deleted)")
    assert os.fstat(descriptor).st_size == capacity


def test_memory_that_is_lent_is_not_used_again_though_nothing_here_refers_to_it(memory):
    number = None

    def lend():
        nonlocal number
        _view, number = store(memory, bytes(MB))
        memory.hold(number)

    lend()
    assert store(memory, bytes(MB))[1] != number
    memory.drop(number)
    others = [store(memory, bytes(MB)) for _ in range(4)]
    assert number in {each[1] for each in others}


def test_threads_store_at_the_same_time():
    memory = SharedMemory(max_bytes=64 * MB, max_count=64)
    wrong = []

    def work(fill):
        for size in range(1, 60):
            data = bytes([fill]) * (size * 5 * KB)
            view, _ = store(memory, data)
            if view != data:
                wrong.append((fill, size))

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


def test_descriptors_are_given_back(memory):
    before = open_descriptors()
    for _ in range(50):
        _, number = store(memory, bytes(MB))
        memory.hold(number)
        memory.spoil(number)

    del _
    memory.trim()
    assert open_descriptors() <= before


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))
