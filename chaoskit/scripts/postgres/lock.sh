# shellcheck shell=sh
# PORT DATABASE HOLDER SECONDS STATEMENT: holds a lock in a transaction, for as long as the sleep
# beside it lasts. psql ends with its input, and the session with psql; both are children of this
# shell, which waits for them.
. ./client.sh
. ./unbound.sh
export PGAPPNAME="$3"
trap : TERM
sleep "$4" | psql -X -q -v ON_ERROR_STOP=1 -c "SELECT set_config(name, '0', false) FROM pg_settings
  WHERE name IN ('transaction_timeout', 'idle_in_transaction_session_timeout')" \
  -c BEGIN -c "$5" -f - >/dev/null 2>&1 &
wait; wait; wait
