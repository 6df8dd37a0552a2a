"""What should run, what runs, and the steps between.

Pure: `target` (what should run), `replica_life` (states of a replica), `rollout` (the
least step to a new version), `plan` (target and observed in, actions out), `table`
and `report` (what routers and users are told). Acting: `controller` (the loop),
`worker` (carries out one action), `pool` (warm shells), `proxies`, `publish`,
`checkpoint`.
"""
