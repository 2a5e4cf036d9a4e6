# shellcheck shell=sh
# PORT DB SECONDS LUA ARGUMENT...: runs a Lua script page by page over all keys, so that no call
# holds the server up for long. It gets the cursor, the count so far and the arguments, and returns
# "cursor count".
. ./client.sh
bounded="timeout $deadline"
lua=$1 cursor=0 total=0
shift
while :; do
  out=$(ask EVAL "$lua" 0 "$cursor" "$total" "$@") ||
    exit 1
  case $out in
    [0-9]*' '[0-9]*) ;;
    *) printf '%s\n' "$out" >&2; exit 1 ;;
  esac
  cursor=${out%% *}
  total=$((total + ${out#* }))
  [ "$cursor" != 0 ] || break
done
echo "$total"
