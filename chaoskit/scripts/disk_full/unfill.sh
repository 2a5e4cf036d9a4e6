# shellcheck shell=sh
# PID CONTAINER DIRECTORY FILE: removes the file.
. ./enter.sh
rm -f "$4" "$4.try"
[ ! -e "$4" ] || exit 4
