"""What is made of the traces that a dead process leaves."""

import re
import subprocess
import sys

import pytest

from workbench.controller.inquest import Inquest, explain_death

RAY_SAYS = (
    "Worker exit detail: Worker unexpectedly exits with a connection error code 2."
)


@pytest.fixture
def end_of(tmp_path):
    """What is said of a process that runs this code after it prepared its last words."""

    def end_of(code):
        program = f"""
from pathlib import Path
from workbench.replica.last_words import prepare_last_words
prepare_last_words(Path({str(tmp_path / "a1.last")!r}))
{code}"""
        path = tmp_path / "program.py"
        path.write_text(program)
        subprocess.run([sys.executable, path], check=False, capture_output=True)
        return Inquest(tmp_path).hold("a1", RAY_SAYS)

    return end_of


def test_a_crash_in_c_code_is_told_with_the_place(end_of, tmp_path):
    cause = end_of("""
import ctypes
def read_nothing():
    ctypes.string_at(0)
read_nothing()""")

    assert cause.startswith("Segmentation fault (a crash in C code), at\n")
    assert re.search(r"line 9 in <module>.*\n.*line 8 in read_nothing", cause)
    assert list(tmp_path.glob("a1*")) == []  # nothing is left behind


def test_an_exit_is_told_with_the_place(end_of):
    cause = end_of("""
import os
def leave():
    os._exit(3)
leave()""")

    assert cause.startswith("User code called os._exit(3), at\n")
    assert "in leave\n    os._exit(3)" in cause


def test_who_says_nothing_was_killed(end_of):
    cause = end_of("""
import os, signal
os.kill(os.getpid(), signal.SIGKILL)""")

    assert cause == "killed (SIGKILL), or ended by C code without a word"


def test_the_kernels_counter_tells_of_lack_of_memory():
    assert "out of memory" in explain_death(RAY_SAYS, "", was_oom=True)


def test_rays_memory_monitor_is_named():
    said = "Task was killed due to the node running low on memory."

    assert explain_death(said, "", was_oom=False) == (
        f"out of memory, ended by Ray's memory monitor: {said}"
    )


def test_what_ray_knows_better_is_passed_on():
    said = "The node died."

    assert explain_death(said, "", was_oom=False) == said


def test_a_process_of_another_host_has_left_nothing_here(tmp_path):
    assert Inquest(tmp_path / "gone").hold("a1", "The node died.") == "The node died."
