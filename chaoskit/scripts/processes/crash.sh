# shellcheck shell=sh
# PID CONTAINER: kills a process. Its id can have a new owner by now: it must be the container's.
grep -q "$2" "/proc/$1/cgroup" && kill -9 "$1"
