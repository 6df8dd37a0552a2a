"""Processes, placement and storage on a Ray cluster; the only package that imports Ray.

`ray_start` brings an embedded Ray up, `ray_cluster` is what the controller sees of
any Ray cluster, `fence` ends a process whose node is gone.
"""
