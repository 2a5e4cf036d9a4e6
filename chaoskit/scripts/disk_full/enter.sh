# shellcheck shell=sh
# PID CONTAINER DIRECTORY ...: goes to the mount. A process id can have a new owner by the time it is
# used: it must be the container's.
[ -z "$2" ] || grep -q "$2" "/proc/$1/cgroup" || exit 3
cd "$3" || exit 3
