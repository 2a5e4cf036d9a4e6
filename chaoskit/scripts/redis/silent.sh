# shellcheck shell=sh
# PORT DB TENTHS WORD...: one command; ends with status 124 when it is not answered within so many
# tenths of a second. `timeout` knows whole seconds only in some images.
. ./client.sh
ask "$@" &
asked=$!
while [ "$deadline" -gt 0 ] && kill -0 "$asked" 2>/dev/null; do
  sleep 0.1
  deadline=$((deadline - 1))
done
kill "$asked" 2>/dev/null && exit 124
wait "$asked"
