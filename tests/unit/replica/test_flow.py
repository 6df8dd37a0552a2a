"""Credit for what goes out, and a body that comes in."""

import asyncio

import pytest

from workbench.replica.flow import SendWindow, Upload

pytestmark = pytest.mark.anyio


async def test_a_piece_may_overdraw_the_window_and_is_then_waited_for():
    window = SendWindow(10)
    window.take(25)
    waiting = asyncio.ensure_future(window.wait_open())
    window.give(15)
    await asyncio.sleep(0)
    assert not waiting.done()

    window.give(1)
    await waiting

    assert window.is_open


async def test_a_wait_that_was_cancelled_does_no_harm():
    window = SendWindow(0)
    waiting = asyncio.ensure_future(window.wait_open())
    await asyncio.sleep(0)
    waiting.cancel()
    window.give(1)

    assert window.is_open


async def test_an_upload_is_read_in_pieces_and_credited():
    credited: list[int] = []
    upload = Upload(b"ab", credited.append)
    upload.put(b"c", last=False)
    upload.put(b"", last=True)

    assert [await upload.read() for _ in range(3)] == [
        (b"ab", True),
        (b"c", False),
        (b"", False),
    ]
    assert credited == [2, 1]


async def test_reading_waits_for_the_next_piece():
    upload = Upload(b"", lambda _: None)
    reading = asyncio.ensure_future(upload.read())
    await asyncio.sleep(0)
    upload.put(b"x", last=False)

    assert await reading == (b"x", True)
