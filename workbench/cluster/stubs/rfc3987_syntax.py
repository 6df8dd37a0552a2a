"""Stands in for the real module inside Ray's processes.

`import ray` imports jsonschema, and that, where JupyterLab is installed, this module,
which builds a grammar for 2 s at import. jsonschema treats its absence as a missing
optional format check. Measured: an actor's start 0.6 s with this, 2.0-2.7 s without.
"""

raise ImportError("left out on purpose: see workbench/cluster/stubs")
