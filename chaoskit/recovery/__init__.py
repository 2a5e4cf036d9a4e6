"""Undoing what a run did: the ledger, the guard, healing, copying logs, teardown."""
