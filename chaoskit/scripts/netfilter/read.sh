# shellcheck shell=sh
# TABLE: prints the rules that there are in a table.
iptables-save -c -t "$1" || exit 1
ip6tables-save -c -t "$1" 2>/dev/null
true
