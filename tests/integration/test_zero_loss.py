"""Under load, nothing that is done to an application loses a request; short form.

The long form, with 50 redeploys of each kind, is `python -m tests.bench.zero_loss`.
"""

import pytest

from tests.bench.zero_loss import Changes, load, phases, wait_for_replicas
from workbench.spec.status import Step


@pytest.mark.slow
def test_no_request_is_lost_whatever_is_done_to_the_application(app_name, url):
    changes = Changes(app_name)
    changes.redeploy(Step.START)

    with load(url) as seen:
        for act in phases(changes, count=1, most=2).values():
            act()
        wait_for_replicas(app_name, 1)

    assert (seen["lost"], seen["examples"]) == (0, [])
    assert all(each["sent"] for each in seen["kinds"].values())
