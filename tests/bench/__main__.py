"""Runs every benchmark, one after the other: `make bench`. Those with a browser last."""

from tests.bench import (
    bodies,
    browser,
    composition,
    install,
    memory,
    panel,
    planning,
    redeploy,
    startup,
    throughput,
)

FIRST = (
    startup,
    planning,
    install,
    memory,
    throughput,
    composition,
    bodies,
    redeploy,
)
for benchmark in (*FIRST, browser, panel):
    benchmark.main()
