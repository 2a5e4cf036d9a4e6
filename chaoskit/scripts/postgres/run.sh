# shellcheck shell=sh
query=$3
shift 3
printf '%s\n' "$query" |
  timeout 15 psql -X -A -t -q -v ON_ERROR_STOP=1 -v VERBOSITY=verbose "$@" -f -
