"""A fenced process ends with the process that started it."""

import os
import signal
import subprocess
import sys

# A parent that starts a fenced child, and waits; the child says its pid, and waits.
CHILD = """
import os, sys, threading
from workbench.cluster.fence import die_with_parent
die_with_parent()
print(os.getpid(), flush=True)
threading.Event().wait()
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]])
"""


def test_a_fenced_process_dies_with_its_parent():
    command = [sys.executable, "-c", PARENT, CHILD]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)  # it lives
        parent.send_signal(signal.SIGKILL)

        assert parent.stdout.read() == b""  # the child's end of the pipe is closed
