# shellcheck shell=sh disable=SC2034  # what includes it uses the variables
# PORT DB SECONDS ...: how to ask the Redis of this container, as the user that it was given.
port=${1:-6379} db=$2 deadline=$3
shift 3
client=redis-cli
command -v redis-cli >/dev/null || client=valkey-cli
user=${REDIS_USERNAME:-${VALKEY_USERNAME:-}}
auth=${REDISCLI_AUTH:-${REDIS_PASSWORD:-${VALKEY_PASSWORD:-}}}
[ -n "$auth" ] || [ -z "${REDIS_PASSWORD_FILE:-}" ] || auth=$(cat "$REDIS_PASSWORD_FILE")
[ -n "$auth" ] || { auth=${CHAOSKIT_AUTH:-} user=${CHAOSKIT_USER:-}; }
[ -z "$auth" ] || export REDISCLI_AUTH="$auth"
