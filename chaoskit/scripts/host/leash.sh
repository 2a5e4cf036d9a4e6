# shellcheck shell=sh
# KIB COMMAND...: runs a command on this machine that ends with chaoskit, whatever ends that. Standard
# input is a pipe that only chaoskit holds: when it closes, the whole process group is killed. KIB is
# how much memory each process may take, empty for as much as there is.
memory=$1
shift
# shellcheck disable=SC3045  # dash, bash and busybox have it; where it is missing there is no limit
[ -z "$memory" ] || ulimit -d "$memory" 2>/dev/null || :
exec 3<&0 </dev/null
(
  read -r _ <&3
  kill -s KILL 0
) >/dev/null 2>&1 &
"$@" 3<&-
status=$?
{
  kill -s KILL $!
  wait $! # which says in some shells that it was killed
} 2>/dev/null
exit "$status"
