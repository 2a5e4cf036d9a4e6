# shellcheck shell=sh
# PID CONTAINER DIRECTORY FILE LEAVE: makes a file that leaves so many bytes free.
. ./enter.sh
size=$(($(stat -f -c %a .) * $(stat -f -c %S .) - $5))
: > "$4"
[ $size -le 0 ] || fallocate -l $size "$4" || head -c $size /dev/zero > "$4"
