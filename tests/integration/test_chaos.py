"""Processes killed under load, alone and in pairs; short form.

The long form, ten minutes of it, is `python -m tests.bench.chaos`.
"""

import pytest

from tests.bench.chaos import REPLICAS, unleash
from tests.bench.lively import lively
from tests.bench.zero_loss import deploy


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_killed_comes_back_and_nothing_else_is_lost_or_left(app_name, url):
    deploy(lively(version=7, num_replicas=REPLICAS), app_name)

    outcome = unleash(app_name, url, seconds=10, seed=1)

    assert outcome.problems == []
    for kill in outcome.kills:
        assert kill.sent
        assert kill.inside + kill.at_door == 0 or kill.victims != ("controller",)
