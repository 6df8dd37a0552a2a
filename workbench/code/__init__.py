"""User code as a value: what it reaches, its version, how it travels and loads.

Front end: `closure` walks what a target really uses, `version` hashes it, `ship` packs
it. Replica: `load` unpacks it. Both: `values` for arguments and results, `exceptions`
for what user code raises. Neither Ray nor IPython is imported here.
"""
