# shellcheck shell=sh
# TABLE PREFIX PROGRAM: removes chains, prints what there is then, and makes the kernel forget where
# it sent look-ups.
. ./remove.sh
python3 -c "$3" forget
