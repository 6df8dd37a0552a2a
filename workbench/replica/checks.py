"""Runs a user's own tests of a replica that takes no traffic yet, beside it.

Called by `process` in a shell that is ended afterwards: what the tests import or change
is never seen by the code that serves. Their handle leads to the one replica under test.
"""

import asyncio
import inspect
from collections.abc import Callable

from workbench.code.exceptions import traceback_text
from workbench.code.load import load_code
from workbench.handle import DeploymentHandle, set_local_runtime
from workbench.replica.threads import Threads
from workbench.routing.dispatch import Router
from workbench.sent_call import Runtime
from workbench.spec.replica import CheckRequest
from workbench.spec.table import DeploymentEntry, ReplicaEntry, Table

__all__ = ["run_checks"]

Check = Callable[[DeploymentHandle], object]


async def run_checks(request: CheckRequest, router: Router, threads: Threads) -> str:
    """Why a test failed, with its traceback if it raised; empty if none did.

    `router` is used for nothing else, and closed.
    """
    router.update(_only(request))
    set_local_runtime(request.app, Runtime(router, asyncio.get_running_loop()))
    handle = DeploymentHandle(request.deployment, request.app)
    try:
        loaded = await threads.start(lambda: load_code(request.checks)).wait()
        assert isinstance(loaded, list)
        for check in loaded:
            if reason := await _run(check, handle, threads):
                return reason
    except Exception as error:  # noqa: BLE001 - of whatever the tests import
        return f"tests could not be loaded: {traceback_text(error)}"
    finally:
        set_local_runtime(request.app, None)
        await router.close()
    return ""


async def _run(check: Check, handle: DeploymentHandle, threads: Threads) -> str:
    name = getattr(check, "__name__", repr(check))
    try:
        said = await threads.start(lambda: check(handle)).wait()
        if inspect.isawaitable(said):
            said = await said
    except Exception as error:  # noqa: BLE001 - it is the answer
        return (
            f"`{name}` raised {type(error).__name__}: {error}\n{traceback_text(error)}"
        )
    return f"`{name}` returned False." if said is False else ""


def _only(request: CheckRequest) -> Table:
    """A table in which there is the replica under test and no other."""
    entry = DeploymentEntry(
        app=request.app,
        name=request.deployment,
        max_ongoing_requests=request.max_ongoing_requests,
        max_queued_requests=-1,
        replicas=(ReplicaEntry(id=request.replica_id, address=request.address),),
    )
    return Table(version=1, deployments=(entry,))
