"""Directories that a `runtime_env` names, made into packages that every node can get.

Ray does this for a driver's own environment only, not for that of an actor, where a
local directory is an error. Called by `ray_cluster` as a process is started; a package
that the cluster has already is not sent again.
"""

import tempfile

from ray._private.runtime_env.py_modules import upload_py_modules_if_needed
from ray._private.runtime_env.working_dir import upload_working_dir_if_needed

__all__ = ["packed"]


def packed(runtime_env: dict[str, object]) -> dict[str, object]:
    """The same environment, with packages in place of this machine's directories.

    Raises:
        ValueError: a directory is not there, or is too large for Ray.
    """
    if not {"working_dir", "py_modules"} & runtime_env.keys():
        return runtime_env
    with tempfile.TemporaryDirectory() as scratch:
        for upload in (upload_working_dir_if_needed, upload_py_modules_if_needed):
            runtime_env = upload(
                dict(runtime_env), include_gitignore=True, scratch_dir=scratch
            )
    return runtime_env
