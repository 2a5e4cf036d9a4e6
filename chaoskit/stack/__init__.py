"""The system under test: its Compose project, the run's copy of it, and the edges between services.

`project` reads what Compose says, `edges` and `overlay` decide where proxies go, `stack` is the
running copy that faults, probes and workloads are given.
"""
