# shellcheck shell=sh
# PORT DB SECONDS WORD...: one command.
. ./client.sh
exec timeout "$deadline" "$client" ${user:+--user "$user"} -p "$port" -n "$db" "$@"
