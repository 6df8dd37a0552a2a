"""Whether a new version may stay, by what real traffic says of it."""

import pytest

from workbench.controller.judge import (
    Count,
    Figures,
    figures_before,
    figures_between,
    judge,
)
from workbench.observe.histogram import Histogram
from workbench.spec.gate import Guard
from workbench.spec.metrics import ApplicationSample, DeploymentSample, Sample

NOTHING = Figures()
GUARD = Guard(max_p99_ms=200, max_p99_ratio=2)


@pytest.mark.parametrize(
    ("before", "now", "says"),
    [
        (NOTHING, Figures(requests=100, errors=5), ""),
        (NOTHING, Figures(requests=40, errors=7), "7 of 40 requests failed (18%)"),
        (
            Figures(requests=50, errors=1),
            Figures(requests=40, errors=7),
            "allows 5%, and before it was 2%",
        ),
        # What was worse before is no reason to go back to it.
        (Figures(requests=50, errors=25), Figures(requests=40, errors=7), ""),
        (NOTHING, Figures(requests=40, p99_ms=250), "p99 is 250.0 ms"),
        (Figures(requests=9, p99_ms=90), Figures(requests=40, p99_ms=150), ""),
        (
            Figures(requests=9, p99_ms=50),
            Figures(requests=40, p99_ms=150),
            "allows 2 × what it was, 50.0 ms",
        ),
    ],
)
def test_limits_are_kept(before, now, says):
    reason = judge(GUARD, before, now, is_over=False)

    assert (says in reason) if says else not reason


@pytest.mark.parametrize(("is_over", "stays"), [(False, True), (True, False)])
def test_a_few_requests_are_judged_when_the_time_is_over(is_over, stays):
    now = Figures(requests=3, errors=3, p99_ms=999)

    assert (judge(GUARD, NOTHING, now, is_over=is_over) == "") is stays


def test_of_a_few_requests_the_latency_says_nothing():
    now = Figures(requests=3, p99_ms=999)

    assert judge(GUARD, NOTHING, now, is_over=True) == ""


def test_no_requests_are_no_reason():
    assert judge(GUARD, NOTHING, NOTHING, is_over=True) == ""


def test_only_what_ended_in_between_counts():
    early, late = Histogram([1e6] * 5), Histogram([1e6] * 5 + [100e6] * 10)

    found = figures_between(
        Count(buckets=dict(early.buckets), errors=2),
        Count(buckets=late.buckets, errors=3),
    )

    assert (found.requests, found.errors) == (10, 1)
    assert found.p99_ms == pytest.approx(100, rel=0.02)


def test_the_version_before_is_seen_in_its_last_seconds():
    samples = [
        Sample(
            at_s=at_s,
            applications={
                "a": ApplicationSample(requests_per_s=10, errors_per_s=1, p99_ms=at_s)
            },
        )
        for at_s in (1.0, 95.0, 96.0, 97.0, 100.0)
    ]

    found = figures_before(samples, "a", "a#Model", 100.0)

    assert found == Figures(requests=30, errors=3, p99_ms=96.0)


def test_of_what_only_handles_call_the_calls_are_seen():
    sample = Sample(
        at_s=9.0,
        applications={"a": ApplicationSample()},
        deployments={"a#Model": DeploymentSample(requests_per_s=4, p99_ms=2.0)},
    )

    found = figures_before([sample], "a", "a#Model", 10.0)

    assert found == Figures(requests=4, errors=0, p99_ms=2.0)
