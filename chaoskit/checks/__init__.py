"""Checks: one file per kind. Each is a pure rule from evidence to a finding; no clock, no I/O.

Files that start with an underscore hold what several checks share: `_health` (what samples say
about failing and coming back), `_set_history` (what a history of adds and reads says about the
data), `_text` (numbers in findings) and `_witness` (the lines that show a failure).
"""
