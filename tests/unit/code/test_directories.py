"""Directories of a runtime_env: found, made absolute, and part of the version."""

import json

import pytest

from workbench.code.directories import contents, located
from workbench.errors import ShippingError


def test_paths_become_absolute_and_addresses_stay(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)

    found = located({"working_dir": "models", "py_modules": ["s3://bucket/a.zip"]})

    assert found["working_dir"] == str(tmp_path / "models")
    assert found["py_modules"] == ["s3://bucket/a.zip"]


def test_a_module_becomes_its_directory():
    found = located({"py_modules": [json]})["py_modules"]

    assert str(found).endswith("/json']")


def test_a_directory_that_is_not_there_is_named():
    with pytest.raises(ShippingError, match=r"/no/such/place as working_dir"):
        located({"working_dir": "/no/such/place"})


def test_files_count_but_not_what_running_code_leaves(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"1234")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"1")
    (tmp_path / ".git").mkdir()

    ((path, size, _),) = contents({"working_dir": str(tmp_path)})

    assert (path, size) == (str(tmp_path / "weights.bin"), 4)
