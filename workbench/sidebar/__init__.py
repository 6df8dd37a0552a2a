"""The Jupyter server extension: what the sidebar's pages talk to.

Pages reach Jupyter's own port and nothing else; behind it this package finds the
instances, keeps their tokens, and relays. Runs in Jupyter's server, whose environment
need not be the kernel's.
"""
