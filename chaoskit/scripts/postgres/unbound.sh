# shellcheck shell=sh
# Our own statements must not be bound by what faults, databases and roles limit.
export PGOPTIONS="-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0"
