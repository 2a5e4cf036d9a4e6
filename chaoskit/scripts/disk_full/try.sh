# shellcheck shell=sh
# PID CONTAINER DIRECTORY FILE LEAVE: writes more than may be left, in another file: the error is what
# the service would get. Prints `absent` where the mount is not filled, else the status of the write,
# how much is free, and the error.
. ./enter.sh
[ -e "$4" ] || { echo absent; exit; }
free=$(($(stat -f -c %a .) * $(stat -f -c %S .)))
said=$(head -c $(($5 + 65536)) /dev/zero 2>&1 > "$4.try")
failed=$?
rm -f "$4.try"
echo "$failed $free $said"
