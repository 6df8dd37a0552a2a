"""Local is what a replica could not import by itself."""

import pytest

from workbench.code.modules import Modules, is_installed, normalised


@pytest.fixture
def modules(notebook):
    return Modules(notebook.directory)


def test_imports_are_followed_wherever_they_stand(notebook, modules):
    notebook.module("one", "def f():\n    import two.three as t\n")
    notebook.module(
        "two/__init__", "from . import four, missing\nfrom .five import *\n"
    )
    notebook.module("two/three", "from ..one import x\nimport json, one\n")
    notebook.module("two/four", "if 0:\n    from .five import y\n")
    notebook.module("two/five", "import numpy.linalg\n")

    assert modules.add("one")
    assert sorted(modules.local) == ["one", "two", "two.five", "two.four", "two.three"]
    assert modules.others == {"numpy"}
    assert set(modules.local["two"].imports) == {"two.four", "two.five"}
    assert "two.three" in modules.local["one"].imports
    assert modules.local["two"].search
    assert modules.local["one"].search is None


def test_a_directory_without_init_is_a_package(notebook, modules):
    notebook.module("plain/inner", "X = 1\n")

    assert modules.add("plain.inner")
    assert modules.local["plain"].source == ""
    assert modules.local["plain"].search == (str(notebook.directory / "plain"),)


def test_submodules_that_somebody_imported_come_along(notebook, modules):
    notebook.module("tree/__init__", "")
    notebook.module("tree/leaf", "X = 1\n")
    notebook.module("user", "import tree\ndef f(): return tree.leaf.X\n")
    notebook.cell("import tree.leaf, user")

    modules.add("user")
    assert "tree.leaf" in modules.local


@pytest.mark.parametrize(
    "name", ["json", "sys", "numpy", "workbench.errors", "__main__"]
)
def test_what_every_replica_has_is_not_local(modules, name):
    assert modules.add(name)
    assert not modules.local


def test_what_is_nowhere_is_no_module(modules):
    assert not modules.add("nowhere.to.be.found")
    assert not modules.local
    assert not modules.others


def test_a_module_that_is_no_python_is_left_to_the_replica(notebook, modules):
    notebook.module("wrong", "def (:\n")

    assert modules.add("wrong")
    assert modules.local["wrong"].source == "def (:\n"


def test_a_file_knows_whether_it_is_installed(notebook):
    assert is_installed(pytest.__file__)
    assert is_installed(ast_file())
    assert not is_installed(__file__)


def ast_file():
    import ast

    return ast.__file__


def test_formatting_is_not_part_of_a_source():
    assert normalised("x=1 # a\n\n") == normalised("x = (1)\n")
    assert normalised("x = 1") != normalised("x = 2")
    assert normalised("def (") == "def ("


def test_so_is_one_within_another(notebook, modules):
    notebook.module("outer/inner/leaf", "X = 1\n")

    assert modules.add("outer.inner.leaf")
    assert sorted(modules.local) == ["outer", "outer.inner", "outer.inner.leaf"]
