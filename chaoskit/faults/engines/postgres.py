"""What the Postgres faults share: statements by `psql` inside the container.

The user is the one that the image was set up with (`POSTGRES_USER`, else `postgres`), who is its
superuser; the password, where one is needed at all, is in the image's variables too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from chaoskit.clock import until
from chaoskit.faults.engines.stores import R_co, Store, StoreUndo, refused

if TYPE_CHECKING:
    from chaoskit.docker.exec import ExecResult

_CLIENT = r"""
export PGPORT="${1:-${PGPORT:-5432}}"
export PGUSER="${POSTGRES_USER:-${POSTGRESQL_USERNAME:-${PGUSER:-postgres}}}"
export PGDATABASE="${2:-${POSTGRES_DB:-${POSTGRESQL_DATABASE:-$PGUSER}}}"
if [ -z "${PGPASSWORD:-}" ]; then
  PGPASSWORD=${POSTGRES_PASSWORD:-${POSTGRESQL_PASSWORD:-}}
  [ -z "${POSTGRES_PASSWORD_FILE:-}" ] || PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export PGPASSWORD
fi
export PGCONNECT_TIMEOUT=5
"""
# Our own statements must not be bound by what faults, databases and roles limit.
_UNBOUND = """
export PGOPTIONS="-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0"
"""
_QUERY = r"""
query=$3
shift 3
printf '%s\n' "$query" |
  timeout 15 psql -X -A -t -q -v ON_ERROR_STOP=1 -v VERBOSITY=verbose "$@" -f -
"""
QUERY = _CLIENT + _UNBOUND + _QUERY
PLAIN = _CLIENT + _QUERY  # as an application's own session would have it
# Holds a lock in a transaction, for as long as the sleep beside it lasts. psql ends with its input,
# and the session with psql; both are children of this shell, which waits for them.
_LOCK = r"""
export PGAPPNAME="$3"
trap : TERM
sleep "$4" | psql -X -q -v ON_ERROR_STOP=1 -c "SELECT set_config(name, '0', false) FROM pg_settings
  WHERE name IN ('transaction_timeout', 'idle_in_transaction_session_timeout')" \
  -c BEGIN -c "$5" -f - >/dev/null 2>&1 &
wait; wait; wait
"""
LOCK = _CLIENT + _UNBOUND + _LOCK
# Takes every free connection but some, and goes on taking those that become free. pgbench makes
# many in one process; what is missing, one psql each makes. All of them are children of this shell,
# which outlives them: an orphan that dies would make the server believe a session of its crashed.
_EXHAUST = r"""
export PGAPPNAME="$3"
seconds=$4 leave=$5 ended=
bench=$(command -v pgbench)
trap 'ended=1' TERM
ticks=$((seconds * 5))
while [ -z "$ended" ] && [ "$ticks" -gt 0 ]; do
  free=$(psql -X -A -t -q -c "SELECT current_setting('max_connections')::int + 1 - count(*)
    FROM pg_stat_activity WHERE backend_type = 'client backend'" 2>/dev/null) || free=0
  free=$((free - leave))
  if [ "$free" -gt 8 ] && [ -n "$bench" ]; then
    printf '\\sleep %s s\n' "$seconds" |
      "$bench" -n -c $((free - 4)) -j 1 -t 1 -f - >/dev/null 2>&1 &
    pid=$! tries=300
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -gt 0 ] && [ -z "$ended" ]; do
      sleep 0.1
      tries=$((tries - 1))
      now=$(psql -X -A -t -q -c "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = '$PGAPPNAME'" 2>/dev/null) || break
      [ "$now" -le $((free - 4)) ] || break
    done
    kill -0 "$pid" 2>/dev/null || bench=  # it does not work here, or others were quicker
  elif [ "$free" -gt 0 ]; then
    while [ "$free" -gt 0 ]; do
      sleep "$seconds" | psql -X -q >/dev/null 2>&1 &
      free=$((free - 1))
    done
    sleep 0.1
  else
    sleep 0.2
    ticks=$((ticks - 1))
  fi
done
for file in $(grep -lsF "CHAOSKIT_HOLD=$CHAOSKIT_HOLD" /proc/[0-9]*/environ); do
  pid=${file#/proc/} pid=${pid%/environ}
  [ "$pid" = "$$" ] || kill "$pid" 2>/dev/null
done
wait; wait; wait
"""
EXHAUST = _CLIENT + _UNBOUND + _EXHAUST
FULL = ("53300", "too many clients", "too many connections", "connection slots are reserved")

FREE = """SELECT current_setting('max_connections')::int + 1 - count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend'"""  # our own session does not count
# Nobody could log in any more with a lock on the catalog; its tables have numbers below 16384.
TABLE = "SELECT coalesce(to_regclass(:'table')::oid::bigint >= 16384, false)"
LOCKED = """SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE application_name = :'holder' AND relation = to_regclass(:'table') AND mode = :'mode'
AND granted"""
WAITING = """SELECT count(*) FROM pg_stat_activity WHERE pg_blocking_pids(pid) && ARRAY(
SELECT pid FROM pg_stat_activity WHERE application_name = :'holder')"""
TRY_LOCK = "BEGIN;\nSET LOCAL lock_timeout = '200ms';\nLOCK TABLE {table} IN {mode} MODE;"
READ_ONLY = "SHOW default_transaction_read_only"
TRY_WRITE = "BEGIN;\nCREATE TABLE chaoskit_canary ();\nROLLBACK;"
IN_SYSTEM = """SELECT setting FROM pg_file_settings
WHERE name = 'default_transaction_read_only' AND sourcefile LIKE '%postgresql.auto.conf'
ORDER BY seqno DESC LIMIT 1"""
IN_DATABASE = """SELECT split_part(one, '=', 2) FROM pg_db_role_setting, unnest(setconfig) AS one
WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
AND one LIKE 'default_transaction_read_only=%'"""
SET_SYSTEM = "ALTER SYSTEM SET default_transaction_read_only = :'value'"
RESET_SYSTEM = "ALTER SYSTEM RESET default_transaction_read_only"
RELOAD = "SELECT pg_reload_conf()"
SET_DATABASE = "ALTER DATABASE :\"database\" SET default_transaction_read_only = :'value'"
RESET_DATABASE = 'ALTER DATABASE :"database" RESET default_transaction_read_only'
OURS = """SELECT count(*) FROM pg_stat_activity
WHERE application_name = :'holder' AND pid <> pg_backend_pid()"""
END_OURS = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = :'holder' AND pid <> pg_backend_pid()"""
# A session is its process and when it started: process numbers come again.
_SESSIONS = """FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
AND pid <> pg_backend_pid() AND application_name NOT LIKE 'chaoskit-%'"""
SESSIONS = f"SELECT pid || '@' || (extract(epoch FROM backend_start) * 1000)::bigint {_SESSIONS}"  # noqa: S608  # constants
END_SESSIONS = f"SELECT count(pg_terminate_backend(pid)) {_SESSIONS}"

_POLL = 0.05


class PostgresUndo(StoreUndo[R_co], Generic[R_co]):
    """A fault in one database of a Postgres, by name; None: the one that the image was set up
    with."""

    database: str | None = None


async def attempt(
    store: Store[PostgresUndo], query: str, *, plain: bool = False, **variables: str
) -> ExecResult:
    """Run statements and return how that went; `plain` as an application's session would."""
    assignments = [word for name, text in variables.items() for word in ("-v", f"{name}={text}")]
    database = store.undo.database or ""
    script = PLAIN if plain else QUERY
    return await store.run(script, store.port, database, query, *assignments, within=20.0)


async def ask(
    store: Store[PostgresUndo], query: str, *, plain: bool = False, **variables: str
) -> str:
    """Return what statements print. Raises `FaultFailed` when one of them is refused.

    `variables` are `:'name'` (text) and `:"name"` (identifier) in the query.
    """
    done = await attempt(store, query, plain=plain, **variables)
    if done.status != 0:
        raise refused(done, "psql", store)
    return done.out.strip()


async def sessions(store: Store[PostgresUndo]) -> set[str]:
    """Return the sessions of other clients of the database."""
    return set((await ask(store, SESSIONS)).split())


async def end_sessions(store: Store[PostgresUndo]) -> set[str]:
    """Terminate every session of other clients of the database and wait until they are gone."""
    before = await sessions(store)
    await ask(store, END_SESSIONS)
    await until_gone(store, before)
    return before


async def until_gone(store: Store[PostgresUndo], wanted: set[str], within: float = 5.0) -> None:
    await until(
        lambda: sessions(store),
        met=lambda now: not wanted & now,
        within=within,
        every=_POLL,
    )


async def hold(store: Store[PostgresUndo], script: str, *words: str) -> None:
    """Start what holds sessions open, named after the fault; `release` ends it."""
    await store.hold(script, store.port, store.undo.database or "", store.holder, *words)


async def release(store: Store[PostgresUndo], within: float = 10.0) -> None:
    """End what `hold` started and every session of it. Raises `FaultFailed` when one stays.

    Its processes are signalled first: that needs no free connection.
    """

    async def end() -> ExecResult:
        await store.release()
        return await attempt(store, END_OURS, holder=store.holder)

    def gone(done: ExecResult) -> bool:
        return done.status == 0 and done.out.strip() == "0"

    done = await until(end, met=gone, within=within, every=_POLL)
    if not gone(done):
        raise refused(done, f"sessions of `{store.holder}` cannot be ended", store)


async def held(store: Store[PostgresUndo]) -> int:
    """Return how many sessions of the fault's own are open."""
    return int(await ask(store, OURS, holder=store.holder))


def lease_seconds(lease: float | None, margin: int = 60) -> int:
    """Return how long something held lasts when nobody releases it."""
    return 3600 if lease is None else int(lease) + margin
