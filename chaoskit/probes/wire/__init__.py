"""Single connections into the stack, without retries, pools or patience of their own.

Probes and workload operations share this: redis and psycopg are imported only here. Every call
may take forever; the sampler and the driver own the deadlines.
"""
