# shellcheck shell=sh
# PORT DATABASE ...: how to ask the Postgres of this container, as its superuser.
export PGPORT="${1:-${PGPORT:-5432}}"
export PGUSER="${POSTGRES_USER:-${POSTGRESQL_USERNAME:-${PGUSER:-postgres}}}"
export PGDATABASE="${2:-${POSTGRES_DB:-${POSTGRESQL_DATABASE:-$PGUSER}}}"
if [ -z "${PGPASSWORD:-}" ]; then
  PGPASSWORD=${POSTGRES_PASSWORD:-${POSTGRESQL_PASSWORD:-}}
  [ -z "${POSTGRES_PASSWORD_FILE:-}" ] || PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export PGPASSWORD
fi
export PGCONNECT_TIMEOUT=5
