"""Which processes can share a Unix socket; called by whoever describes a process."""

import hashlib
import platform
import uuid
from functools import cache
from pathlib import Path

__all__ = ["host_id"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@cache
def host_id() -> str:
    """Name this machine until it restarts.

    Made of the kernel's boot id, or the hardware address where there is none, and the
    host name, which containers on one kernel do not share. Two that share even that
    may have no file in common: `connect` looks whether the socket is there.
    """
    boot = _BOOT_ID.read_text() if _BOOT_ID.exists() else hex(uuid.getnode())
    return hashlib.sha256(f"{boot}{platform.node()}".encode()).hexdigest()[:16]
