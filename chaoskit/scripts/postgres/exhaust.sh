# shellcheck shell=sh
# PORT DATABASE HOLDER SECONDS LEAVE: takes every free connection but some, and goes on taking those
# that become free. pgbench makes many in one process; what is missing, one psql each makes. All of
# them are children of this shell, which outlives them: an orphan that dies would make the server
# believe a session of its crashed.
. ./client.sh
. ./unbound.sh
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
# shellcheck disable=SC2013  # names in /proc have no spaces
for file in $(grep -lsF "CHAOSKIT_HOLD=$CHAOSKIT_HOLD" /proc/[0-9]*/environ); do
  pid=${file#/proc/} pid=${pid%/environ}
  [ "$pid" = "$$" ] || kill "$pid" 2>/dev/null
done
wait; wait; wait
