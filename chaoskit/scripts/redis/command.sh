# shellcheck shell=sh
# PORT DB SECONDS WORD...: one command.
. ./client.sh
exec timeout "$deadline" "$client" -p "$port" -n "$db" "$@"
