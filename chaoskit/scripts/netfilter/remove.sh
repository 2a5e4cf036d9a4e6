# shellcheck shell=sh
# PREFIX: removes all that hangs on a chain whose name starts like this (the jumps, then the rules,
# then the chain) and prints what there is then.
status=0
for table in iptables ip6tables; do
  found=$($table -w -S 2>/dev/null) || { [ $table = ip6tables ] && continue; exit 1; }
  undo=$(
    echo "$found" | sed -n "s/^-A \([A-Z]*\) -j \($1[^ ]*\)\$/-D \1 -j \2/p"
    echo "$found" | sed -n "s/^-N \($1[^ ]*\)\$/-F \1\n-X \1/p"
  )
  [ -z "$undo" ] && continue
  printf '*filter\n%s\nCOMMIT\n' "$undo" | $table-restore -w --noflush || status=1
done
[ $status = 0 ] || exit $status
. ./read.sh
