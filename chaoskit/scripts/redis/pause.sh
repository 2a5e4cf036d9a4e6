# shellcheck shell=sh
# PORT DB SECONDS MODE SECONDS: pauses the server until this process gets SIGUSR1.
#
# A server that is paused for ALL answers nobody, not even CLIENT UNPAUSE; a monitor is exempt. So
# one connection becomes a monitor first, then pauses, and unpauses when it is signalled. The pause
# ends by itself after its seconds, whatever happens to this process.
. ./client.sh
mode=$1 seconds=$2
trap : USR1
{
  released=
  trap 'released=1' USR1
  # shellcheck disable=SC2016  # the protocol's own dollar
  printf '*1\r\n$7\r\nMONITOR\r\n'
  printf 'CLIENT PAUSE %s000 %s\r\n' "$seconds" "$mode"
  ticks=$((seconds * 10))
  while [ -z "$released" ] && [ "$ticks" -gt 0 ]; do
    sleep 0.1
    ticks=$((ticks - 1))
  done
  printf 'CLIENT UNPAUSE\r\n'
} | (
  trap '' USR1
  ask --pipe --pipe-timeout 5 >/dev/null 2>&1
)
