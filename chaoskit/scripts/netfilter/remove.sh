# shellcheck shell=sh
# TABLE PREFIX: removes all that hangs on a chain whose name starts like this (the jumps, then the
# rules, then the chain) and prints what there is then.
status=0
for command in iptables ip6tables; do
  found=$($command -w -t "$1" -S 2>/dev/null) || { [ $command = ip6tables ] && continue; exit 1; }
  undo=$(
    echo "$found" | sed -n "s/^-A \([A-Z]*\) -j \($2[^ ]*\)\$/-D \1 -j \2/p"
    echo "$found" | sed -n "s/^-N \($2[^ ]*\)\$/-F \1\n-X \1/p"
  )
  [ -z "$undo" ] && continue
  printf '*%s\n%s\nCOMMIT\n' "$1" "$undo" | $command-restore -w --noflush || status=1
done
[ $status = 0 ] || exit $status
. ./read.sh
