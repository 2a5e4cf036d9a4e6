# shellcheck shell=sh
# What a container tells of how its Redis is asked: the words of its processes, each with a `0`, and
# the first line of every secret that it was given, with a `1`.
for file in /proc/[0-9]*/cmdline; do
  tr '\0' '\n' <"$file" | sed 's/^/0/'
done 2>/dev/null
for file in /run/secrets/*; do
  head -n 1 "$file" | sed 's/^/1/'
done 2>/dev/null
exit 0
