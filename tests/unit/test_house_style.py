"""Rules of the house that no linter knows."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from workbench import errors, serve

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "workbench").rglob("*.py"))

# Brackets keep these lines from matching themselves.
FORBIDDEN_TEXT = {
    "the host of a package registry": (
        r"(p[y]pi|python[h]osted|deb[.]d[e]bian)[.]org|registry[.](n[p]mjs|y[a]rnpkg)"
    ),
    "a path outside the repository": r"(^|[^\w.~}-])/(work|farm|root)/",
    "ending processes by name": r"ray stop -[-]force|p[k]ill|k[i]llall",
}
FOGGY_SUFFIXES = (
    "Manager",
    "Wrapper",
    "Info",
    "Helper",
    "Util",
    "Base",
    "Impl",
    "Data",
)
# Errors whose advice does not stand in the class, and where it is instead.
HINT_ELSEWHERE = {
    "CallError": "a base class, never raised itself",
    "NoSuchMethodError": "the methods there are, given when it is raised",
    "RemoteError": "the traceback of the user's code",
    "RequestCancelledError": "the caller wanted it",
}


def name_of(path):
    return str(path.relative_to(ROOT))


def repository_files():
    """Every text file that is, or could be, committed."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name]


def public_definitions(tree):
    """Names of the public classes and functions at the top of a module."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    names = (node.name for node in tree.body if isinstance(node, kinds))
    return {name for name in names if not name.startswith("_")}


def exported_names(tree):
    """What the module's `__all__` says; nothing where there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def modules_loaded_by(statement):
    """Top-level packages in memory after a fresh interpreter ran the statement."""
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.decode().split()}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout")
@pytest.mark.parametrize("what", FORBIDDEN_TEXT)
def test_no_file_holds(what):
    pattern = re.compile(FORBIDDEN_TEXT[what])
    found = []
    for path in repository_files():
        if not path.is_file():  # deleted, not yet committed
            continue
        lines = path.read_bytes().decode(errors="replace").splitlines()
        found += [
            f"{name_of(path)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]

    assert not found, f"{what}:\n" + "\n".join(found)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_ray_is_imported_in_cluster_only_and_ray_serve_nowhere(path):
    tree = ast.parse(path.read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    ray = {name for name in imported if name.split(".")[0] == "ray"}

    assert not {name for name in ray if name.startswith("ray.serve")}
    assert not ray or path.is_relative_to(ROOT / "workbench" / "cluster")


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_all_names_every_public_class_and_function(path):
    """Its order is ruff's business (RUF022)."""
    tree = ast.parse(path.read_text())

    assert public_definitions(tree) <= exported_names(tree)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_class_names_are_nouns_without_fog(path):
    tree = ast.parse(path.read_text())
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]

    assert not [name for name in classes if name.endswith(FOGGY_SUFFIXES)]


def test_every_public_name_says_what_it_does():
    silent = [
        name
        for name in serve.__all__
        if callable(getattr(serve, name)) and not getattr(serve, name).__doc__
    ]

    assert not silent


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_gives_advice(name):
    hint = getattr(errors, name).hint

    assert hint.endswith(".") != (name in HINT_ELSEWHERE)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_drawn_in_the_tree(name):
    assert re.search(rf"[─ ]{name}\b", errors.__doc__)


def test_import_workbench_loads_none_of_the_heavy_libraries():
    assert not modules_loaded_by("import workbench") & {"ray", "IPython", "fastapi"}


def test_import_serve_loads_neither_ray_nor_ipython():
    assert not modules_loaded_by("from workbench import serve") & {"ray", "IPython"}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=name_of
)
def test_notebooks_are_stored_without_outputs(path):
    cells = json.loads(path.read_text())["cells"]
    run = [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]

    assert not run, f"run: nbstripout {name_of(path)}"
