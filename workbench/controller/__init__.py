"""What should run, what runs, and the steps between.

Pure: `target` (what should run), `replica_life` (states of a replica), `rollout` (the
least step to a new version), `plan` (target and observed in, actions out), `ranks` (which
number each replica has), `table` and `report` (what routers and users are told),
`failures` and `setback` (what follows from what fails). Acting: `controller` (what each
turn does), `turns` and `tasks` (when, and what goes on besides), `work` (carries out one
action), `placing` (finds a place), `pool` (warm shells), `proxies`, `publish`, `checkpoint`.
"""
