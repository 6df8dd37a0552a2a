"""What a caller is told of a call that failed.

Called by `exchange` (HTTP) and `method_call` (handles) with what user code raised. An
HTTP body never holds a traceback: it goes to the replica's log, beside the request id,
and in the `Failure` to whoever may show it to the owner.
"""

import asyncio
import logging

from starlette.exceptions import HTTPException

from workbench.code.exceptions import dump_exception
from workbench.errors import BackPressureError, DeploymentUnavailableError
from workbench.replica.json_text import encode_json
from workbench.replica.reply import Reply, check_status, head_of
from workbench.wire.messages import Buffers, Failure, FailureKind

__all__ = ["RefusedError", "http_exception_reply", "http_failure", "method_failure"]

logger = logging.getLogger(__name__)


class RefusedError(Exception):
    """We refuse the call, or what came of it; user code is not (alone) at fault."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
