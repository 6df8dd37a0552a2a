"""What user code may ask of its replica."""

import pytest

from workbench.errors import WorkbenchError
from workbench.replica.context import (
    ReplicaContext,
    get_replica_context,
    set_replica_context,
)


@pytest.fixture(autouse=True)
def _leave_no_context():
    set_replica_context(None)
    yield
    set_replica_context(None)


def test_outside_a_replica_there_is_no_context():
    with pytest.raises(WorkbenchError, match="outside a replica"):
        get_replica_context()


def test_inside_it_says_where_the_code_runs():
    context = ReplicaContext(
        app_name="a", deployment="d", replica_tag="a#d#1", replica_id="1"
    )
    set_replica_context(context)

    assert get_replica_context() is context
