# shellcheck shell=sh
# PORT DATABASE STATEMENTS OPTION...: runs statements of ours.
. ./client.sh
. ./unbound.sh
. ./run.sh
