"""Checks: one file per kind. Each is a pure rule from evidence to a finding; no clock, no I/O.

`_base` holds what surrounds every rule: its fields, its window, what a history must hold before it
may pass. `histories/` holds what the history of each kind of workload is read into. The other files
that start with an underscore hold what several rules share.
"""
