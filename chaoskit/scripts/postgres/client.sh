# shellcheck shell=sh
# PORT DATABASE ...: how to ask the Postgres of this container, as its superuser.
# The server writes down its port, the folder of its socket, if it has one, and where it listens.
said=
for folder in "${PGDATA:-/var/lib/postgresql/data}" /proc/1/cwd; do
  [ -n "$said" ] || said=$(sed -n 4,6p "$folder/postmaster.pid" 2>/dev/null)
done
if [ -z "${PGHOST:-}" ] && [ -n "$said" ]; then
  PGHOST=$(printf '%s\n' "$said" | sed -n 2p)
  [ -n "$PGHOST" ] || PGHOST=$(printf '%s\n' "$said" | sed -n '3s/^\*$/127.0.0.1/;3p')
  export PGHOST
fi
export PGPORT="${1:-${PGPORT:-$(printf '%s\n' "${said:-5432}" | sed -n 1p)}}"
export PGUSER="${POSTGRES_USER:-${POSTGRESQL_USERNAME:-${PGUSER:-postgres}}}"
export PGDATABASE="${2:-${POSTGRES_DB:-${POSTGRESQL_DATABASE:-$PGUSER}}}"
if [ -z "${PGPASSWORD:-}" ]; then
  PGPASSWORD=${POSTGRES_PASSWORD:-${POSTGRESQL_PASSWORD:-}}
  [ -z "${POSTGRES_PASSWORD_FILE:-}" ] || PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export PGPASSWORD
fi
export PGCONNECT_TIMEOUT=5
