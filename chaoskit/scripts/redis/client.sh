# shellcheck shell=sh disable=SC2034  # what includes it uses the variables
# PORT DB SECONDS ...: how to ask the Redis of this container, with the password that it was given.
port=${1:-6379} db=$2 deadline=$3
shift 3
client=redis-cli
command -v redis-cli >/dev/null || client=valkey-cli
auth=${REDISCLI_AUTH:-${REDIS_PASSWORD:-${VALKEY_PASSWORD:-}}}
[ -n "$auth" ] || [ -z "${REDIS_PASSWORD_FILE:-}" ] || auth=$(cat "$REDIS_PASSWORD_FILE")
[ -n "$auth" ] || auth=${CHAOSKIT_AUTH:-}
[ -n "$auth" ] || [ ! -r "${CHAOSKIT_CONFIG:-}" ] ||
  auth=$(sed -n 's/^ *requirepass *"\{0,1\}\([^"]*\)"\{0,1\} *$/\1/p' "$CHAOSKIT_CONFIG")
[ -z "$auth" ] || export REDISCLI_AUTH="$auth"
