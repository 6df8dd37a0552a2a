"""The chunks of the streams that are measured, the same for all who serve them."""

CHUNK = b'data: {"token": "hello"}\n\n~'
END = b"~"
"""Stands once in each chunk and nowhere else, to count them by."""


async def chunks(count):
    """So many chunks, as fast as they are taken."""
    for _ in range(count):
        yield CHUNK
