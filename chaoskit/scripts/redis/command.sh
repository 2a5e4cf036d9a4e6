# shellcheck shell=sh
# PORT DB SECONDS WORD...: one command.
. ./client.sh
bounded="timeout $deadline"
ask "$@"
