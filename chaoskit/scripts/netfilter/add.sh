# shellcheck shell=sh
# TABLE RULES4 RULES6: adds rules to a table, in one transaction for each family, and prints what
# there is then: starting a helper costs more than all it does.
set -e
if [ -n "$2" ]; then printf %s "$2" | iptables-restore -w --noflush; fi
if [ -n "$3" ]; then printf %s "$3" | ip6tables-restore -w --noflush; fi
. ./read.sh
