"""Measuring what runs, at little cost: durations, and what a process uses.

Called where calls end (`replica`, `proxy`) and where figures are made of what was
counted (`controller`). Knows neither channels nor deployments.
"""
