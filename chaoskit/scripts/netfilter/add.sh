# shellcheck shell=sh
# RULES4 RULES6: adds rules, in one transaction for each family, and prints what there is then:
# starting a helper costs more than all it does.
set -e
if [ -n "$1" ]; then printf %s "$1" | iptables-restore -w --noflush; fi
if [ -n "$2" ]; then printf %s "$2" | ip6tables-restore -w --noflush; fi
. ./read.sh
