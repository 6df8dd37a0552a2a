"""Serving processes keep the memory that bodies come and go in."""

import subprocess
import sys

PROGRAM = """
import resource
from workbench.cluster.heap import keep_freed_memory
keep_freed_memory()
def come_and_go():
    for _ in range(20):
        [bytearray(300_000) for _ in range(20)]
come_and_go()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
come_and_go()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_memory_that_is_used_again_causes_no_page_faults():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert int(done.stdout) < 100
