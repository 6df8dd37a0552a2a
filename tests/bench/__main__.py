"""Runs every benchmark, one after the other: `make bench`. Those with a browser last."""

from tests.bench import (
    autoscaling,
    batching,
    bodies,
    browser,
    composition,
    fastapi,
    install,
    memory,
    observing,
    panel,
    planning,
    redeploy,
    scale_up,
    startup,
    streams,
    throughput,
    users,
    values,
)

FIRST = (startup, planning, autoscaling, install, memory)
THEN = (
    throughput,
    observing,
    composition,
    fastapi,
    users,
    streams,
    batching,
    bodies,
    values,
    redeploy,
    scale_up,
)
for benchmark in (*FIRST, *THEN, browser, panel):
    benchmark.main()
