# shellcheck shell=sh
# PORT DATABASE STATEMENTS OPTION...: runs statements as an application's session would.
. ./client.sh
. ./run.sh
