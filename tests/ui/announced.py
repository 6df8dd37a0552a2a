"""Instance files of instances that are not real."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.sidebar.fake_instance import FakeInstance
from workbench.instance import InstanceFile

__all__ = ["announced"]


@contextmanager
def announced(
    fake: FakeInstance, runtime_dir: Path, token: str | None = None
) -> Iterator[InstanceFile]:
    """Write its file, as a launcher does, for as long as the block."""
    file = InstanceFile(
        id=fake.id,
        url=fake.url,
        token=token or fake.token,
        pid=os.getpid(),
        is_kept=True,
        home=str(runtime_dir / "home"),
        started_at=time.time(),
    )
    file.write(runtime_dir)
    try:
        yield file
    finally:
        file.remove(runtime_dir)
