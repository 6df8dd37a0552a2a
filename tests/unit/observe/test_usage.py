"""A process knows what it uses."""

import time

from workbench.observe import usage
from workbench.observe.usage import CpuMeter, resident_bytes


def test_a_busy_process_uses_its_core():
    meter = CpuMeter()
    begin = time.process_time()
    while time.process_time() - begin < 0.02:
        pass

    assert meter.read() > 0
    assert meter.read() >= 0


def test_memory_that_is_touched_counts():
    before = resident_bytes()
    block = bytearray(b"x") * 50_000_000

    assert resident_bytes() - before > 40_000_000
    assert len(block) == 50_000_000


def test_where_there_is_no_proc_the_peak_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(usage, "_STATM", tmp_path / "missing")

    assert resident_bytes() > 5_000_000
