# shellcheck shell=sh
# PORT DB SECONDS ...: how to ask the Redis of this container, by what CHAOSKIT_... tell of it.
# shellcheck disable=SC2034  # of those that read this file
port=${CHAOSKIT_PORT:-${1:-6379}} db=$2 deadline=$3
shift 3
client=redis-cli
command -v redis-cli >/dev/null || client=valkey-cli
command -v "$client" >/dev/null || client=keydb-cli
unset REDISCLI_AUTH
[ -z "${CHAOSKIT_AUTH:-}" ] || export REDISCLI_AUTH="$CHAOSKIT_AUTH"
bounded=
# Becomes the client: a subshell where there is more to do.
ask() {
  exec $bounded "$client" ${CHAOSKIT_USER:+--user "$CHAOSKIT_USER"} \
    ${CHAOSKIT_SOCKET:+-s "$CHAOSKIT_SOCKET"} ${CHAOSKIT_TLS:+--tls --insecure} \
    ${CHAOSKIT_CERT:+--cert "$CHAOSKIT_CERT" --key "$CHAOSKIT_KEY"} -p "$port" -n "$db" "$@"
}
