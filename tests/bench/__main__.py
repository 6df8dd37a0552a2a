"""Runs every benchmark, one after the other: `make bench`."""

from tests.bench import bodies, composition, memory, redeploy, startup, throughput

for benchmark in (startup, memory, throughput, composition, bodies, redeploy):
    benchmark.main()
