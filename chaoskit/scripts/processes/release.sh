# shellcheck shell=sh
# HOLDER SIGNAL: signals the processes that hold a fault in force; what they hold ends with them. None
# of them outlives its shell, or a database that is the container's first process would inherit it and
# mind its death.
# shellcheck disable=SC2013  # names in /proc have no spaces
for file in $(grep -lsF "CHAOSKIT_HOLD=$1" /proc/[0-9]*/environ); do
  pid=${file#/proc/}
  kill -s "$2" "${pid%/environ}" 2>/dev/null
done
exit 0
