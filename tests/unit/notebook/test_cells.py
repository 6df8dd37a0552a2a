"""Running a `%%serve` cell and finding the application in it."""

import inspect

import pytest

MODEL = (
    "@deployment\nclass Model:\n    def __call__(self, request):\n        return 1\n"
)


def test_a_cell_runs_in_the_users_namespace(notebook):
    notebook.run("start = 20")

    notebook.run(f"%%serve\nanswer = start + 22\n{MODEL}")

    assert notebook.namespace["answer"] == 42


def test_a_traceback_has_the_cells_own_line_numbers_and_none_of_our_frames(notebook):
    ran = notebook.run("%%serve\n\n\ndef fail():\n    1 / 0\n\nfail()")

    assert isinstance(ran.error, ZeroDivisionError)
    assert "line 7" in ran.shown
    assert "line 5" in ran.shown
    assert "workbench" not in ran.shown
    assert "run_cell_magic" not in ran.shown


def test_a_later_cell_sees_the_lines_of_a_served_class(notebook):
    notebook.run(f"%%serve\n\n{MODEL}".replace("return 1", "return 1 / 0"))

    ran = notebook.run("Model.func_or_class()(None)")

    assert "line 6" in ran.shown
    assert "return 1 / 0" in ran.shown


def test_the_source_of_methods_is_found(notebook):
    notebook.run(f"%%serve\n{MODEL}")

    source = inspect.getsource(notebook.namespace["Model"].func_or_class.__call__)

    assert source.strip().endswith("return 1")


def test_a_cell_run_by_code_has_line_numbers_too(notebook):
    ran = notebook.run("get_ipython().run_cell_magic('serve', '', 'x = 1\\n1 / 0')")

    assert "line 3" in ran.shown


def test_a_syntax_error_is_shown_without_frames(notebook):
    ran = notebook.run("%%serve\nx = 1\nprint(x")

    assert "line 3" in ran.shown
    assert "was never closed" in ran.shown
    assert "workbench" not in ran.shown
    assert not notebook.backend.deploys


def test_a_cell_that_fails_deploys_nothing(notebook):
    notebook.run(f"%%serve\n{MODEL}\n1 / 0")

    assert not notebook.backend.deploys


def test_magics_within_the_cell_work(notebook):
    notebook.run(f"%%serve\n%precision 3\nhere = %pwd\n{MODEL}")

    assert notebook.namespace["here"]
    assert notebook.backend.deploys


def test_a_last_line_that_is_no_application_is_shown(notebook):
    ran = notebook.run(f"%%serve\n{MODEL}\n6 * 7")

    assert "42" in ran.shown
    assert notebook.backend.deploys


@pytest.mark.parametrize(
    ("ending", "ingress"),
    [
        ("", "Model"),
        ("Model", "Model"),
        ("Model.bind()", "Model"),
        ("app = Model.bind()", "Model"),
        ("served = Model.bind()", "Model"),
        ("app = other = Model.bind()", "Model"),
        ("second = Model.options(name='Second')\nsecond.bind()", "Second"),
        (
            "inner = Model.bind()\napp = Model.options(name='Outer').bind(inner)",
            "Outer",
        ),
        ("class Plain:\n    pass", "Model"),
        ("app = 'FastAPI, say'", "Model"),
        ("for app in [Model.bind()]:\n    pass", "Model"),
    ],
)
def test_the_application_is_found(notebook, ending, ingress):
    notebook.run(f"%%serve\n{MODEL}{ending}")

    (asked,) = notebook.backend.deploys
    assert asked.target.deployment.name == ingress


def test_an_application_of_an_earlier_cell_is_not_served(notebook):
    notebook.run(f"{MODEL}\napp = Model.bind()")

    notebook.run(f"%%serve\n{MODEL.replace('Model', 'Newer')}")

    (asked,) = notebook.backend.deploys
    assert asked.target.deployment.name == "Newer"


def test_a_function_is_served(notebook):
    notebook.run("%%serve\n@deployment\ndef hello(request):\n    return 'hello'")

    (asked,) = notebook.backend.deploys
    assert asked.target.deployment.name == "hello"


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("x = 1", "makes nothing to serve; write @serve.deployment"),
        ("class Model:\n    pass", "Model is a plain class; write @serve.deployment"),
        (f"{MODEL}a = Model.bind()\nb = Model.bind()", "2 applications (a, b)"),
        (
            f"{MODEL}{MODEL.replace('Model', 'Front')}",
            "end with the one that requests enter: Front.bind(Model.bind())",
        ),
        (
            MODEL.replace("__call__(self, request)", "__init__(self, weights)"),
            "Model needs arguments (missing a required argument: 'weights')",
        ),
        (f"{MODEL}await something", "cannot wait for a top-level await"),
    ],
)
def test_a_cell_that_serves_nothing_says_what_to_write(notebook, cell, advice):
    ran = notebook.run(f"%%serve\n{cell}")

    assert ran.shown.startswith("UsageError: ")
    assert advice in ran.shown
    assert not notebook.backend.deploys
