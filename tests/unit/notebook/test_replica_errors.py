"""Errors of replicas in a cell: the cell's lines, once, and none of our frames."""

import pytest

from workbench.code.exceptions import dump_exception, load_failure
from workbench.errors import ConstructorError, NoInstanceError, RemoteError

CELL = """def predict(x):
    y = x + 1
    raise ValueError("bad")
"""


@pytest.fixture
def remote(notebook):
    """An error that a cell's function raised in a replica."""
    notebook.run(CELL)
    try:
        notebook.namespace["predict"](1)
    except ValueError as error:
        # As a replica has it: the frame of this test is not in it.
        below = error.__traceback__.tb_next if error.__traceback__ else None
        return load_failure(*dump_exception(error.with_traceback(below)))


def raise_it(notebook, error):
    """What a cell shows in which our code raises the error."""
    notebook.namespace["error"] = error
    notebook.run("def call():\n    raise error")
    return notebook.run("x = 1\ncall()").shown


def test_a_failed_call_shows_where_it_was_made_and_where_it_failed(notebook, remote):
    shown = raise_it(notebook, remote)

    assert "Cell In[4], line 2, in <module>" in shown
    assert "----> 2 call()" in shown
    assert "Cell In[2], line 3, in predict" in shown
    assert '----> 3     raise ValueError("bad")' in shown
    assert "2     y = x + 1" in shown
    assert shown.count("ValueError: bad") == 1
    assert "ipython-input" not in shown
    assert "workbench" not in shown
    assert "Traceback" not in shown


def test_the_error_is_still_caught_by_its_own_type(notebook, remote):
    notebook.namespace["error"] = remote

    ran = notebook.run(
        "try:\n    raise error\nexcept ValueError as e:\n    print('ok')"
    )

    assert ran.shown == "ok\n"


def test_a_set_up_that_fails_shows_the_cells_lines(notebook):
    notebook.run(CELL)
    file = notebook.namespace["predict"].__code__.co_filename
    text = (
        "Model: Traceback (most recent call last):\n"
        f'  File "{file}", line 2, in __init__\n    y = x + 1\n        ~~^~~\n'
        "TypeError: no"
    )

    shown = raise_it(notebook, ConstructorError(text))

    assert "ConstructorError: Model:\nCell In[2], line 2, in __init__\n" in shown
    assert "----> 2     y = x + 1" in shown
    assert "~~^~~" not in shown
    assert shown.count("TypeError: no") == 1
    assert "→ Mend the cause" in shown


def test_a_place_outside_of_cells_stays_as_it_is(notebook):
    place = '  File "/home/ann/model.py", line 2, in load\n    return open(path)\n'
    error = RemoteError("no", remote_traceback=f"{place}OSError: no")

    assert place in raise_it(notebook, error)


def test_a_cell_of_another_kernel_is_named_so(notebook):
    place = '  File "/tmp/ipykernel_71/123.py", line 4, in f\n    1 / 0\n'
    error = RemoteError("no", remote_traceback=f"{place}ZeroDivisionError: no")

    shown = raise_it(notebook, error)

    assert "Cell of an earlier session, line 4, in f\n    1 / 0" in shown.replace(
        "      1", "    1"
    )
    assert "ipykernel" not in shown


def test_lines_are_shown_only_of_the_code_that_ran(notebook):
    notebook.run(CELL)
    file = notebook.namespace["predict"].__code__.co_filename
    place = f'  File "{file}", line 2, in predict\n    y = another()\n'
    error = RemoteError("no", remote_traceback=f"{place}ValueError: no")

    shown = raise_it(notebook, error)

    assert "y = another()" in shown
    assert "----> 2     y" not in shown


def test_an_error_of_ours_is_the_readers_line_message_and_advice(notebook):
    shown = raise_it(notebook, NoInstanceError("Nothing runs."))

    assert "----> 2 call()" in shown
    assert "\nNoInstanceError: Nothing runs.\n  → Start one" in shown


def test_an_error_of_a_magic_is_message_and_advice(notebook, monkeypatch):
    def away() -> None:
        raise NoInstanceError("Nothing runs.")

    monkeypatch.setattr(notebook.backend, "status", away)

    shown = notebook.run("%serve status").shown

    assert shown.strip().startswith("NoInstanceError: Nothing runs.\n  → Start one")


def test_a_reader_who_wants_no_colours_gets_none(notebook, remote):
    notebook.namespace["error"] = remote
    notebook.run("%colors nocolor")

    output = notebook.run("raise error").output

    assert "\x1b" not in output.stdout + output.stderr
    notebook.run("%colors neutral")


def test_without_the_extension_errors_are_drawn_plainly(notebook, remote):
    notebook.run("%load_ext workbench\n%unload_ext workbench")

    assert remote._render_traceback_() == [remote.remote_traceback]
