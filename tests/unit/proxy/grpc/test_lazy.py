"""Who does not speak gRPC does not pay for it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    ["workbench.serve", "workbench.proxy.process", "workbench.replica.process"],
)
def test_grpc_is_loaded_only_by_proxies_that_speak_it(module):
    code = f"import {module}, sys; print('grpc' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )

    assert done.stdout.strip() == "False"
