"""Choosing a replica for a call: table, policies, admission, dispatch."""
