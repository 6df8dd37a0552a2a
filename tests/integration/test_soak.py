"""What redeploys replaced is let go of; short form.

The long form, which looks at the memory of all processes, is `python -m tests.bench.soak`.
"""

import pytest

from tests.bench.zero_loss import Changes, load
from tests.integration.conftest import eventually
from workbench import serve
from workbench.spec.status import Step

KEEPS = 60


@pytest.mark.slow
def test_old_code_is_let_go_of_in_replica_and_controller(app_name, url):
    changes = Changes(app_name)
    changes.redeploy(Step.START)
    changes.redeploy(Step.KEEP)
    replica = serve.get_app_handle(app_name)
    before = replica.holdings.remote().result(timeout_s=30)

    with load(url) as seen:
        for _ in range(KEEPS):
            changes.redeploy(Step.KEEP)

    # The code that serves, and for a moment the one before it.
    assert eventually(
        lambda: replica.holdings.remote().result(timeout_s=30)["classes"] == 1
    )
    after = replica.holdings.remote().result(timeout_s=30)
    assert {**after, "classes": 0} == {**before, "classes": 0}
    versions = serve.versions(app_name)
    assert len(versions) <= 50
    assert sum(each.is_kept for each in versions) <= 10
    assert seen["lost"] == 0
