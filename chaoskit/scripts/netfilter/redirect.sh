# shellcheck shell=sh
# TABLE RULES4 RULES6 PROGRAM: adds rules, prints what there is then, and makes the kernel forget
# where it sent look-ups.
. ./add.sh
python3 -c "$4" forget
