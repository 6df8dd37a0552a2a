"""How much freed memory a serving process keeps for itself.

Called by proxies and replicas as they start. Bodies come and go in pieces of some
hundred kilobytes; by default the C library gives each back to the kernel when it is
freed, and the next one is made of pages that must be mapped and zeroed anew. Passing on
a body of 10 MB then costs 2,000 page faults, 6 of 15 ms.
"""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

# Names and numbers of glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEPT_BYTES = 32 * 1024 * 1024
_MAPPED_BYTES = 16 * 1024 * 1024


def keep_freed_memory() -> None:
    """Keep up to 32 MB of what was freed; larger blocks still go back at once.

    Does nothing where the C library is another one.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
