"""Runs every benchmark, one after the other: `make bench`."""

from tests.bench import composition, memory, redeploy, startup, throughput

for benchmark in (startup, memory, throughput, composition, redeploy):
    benchmark.main()
