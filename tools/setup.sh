#!/bin/bash
# Gets everything a rehearsal needs: the virtual environment, a Docker engine with Compose, the images.
#
#   tools/setup.sh                      all of it; what is there already is left alone
#   tools/setup.sh images [--rebuild]   only the images; --rebuild makes ours again
#
# Says one line for each thing it does, and nothing when there is nothing to do. Exit 4: something is missing
# that it cannot get by itself.
#
#   CHAOSKIT_BASE             base image of the lab image, instead of debian:trixie-slim
#   CHAOSKIT_TOXIPROXY_IMAGE  Toxiproxy image, instead of ghcr.io/shopify/toxiproxy:2.12.0
#   PYTHON                    Python >= 3.11 for the virtual environment, instead of python3
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly OFFICIAL_BASE=debian:trixie-slim OUR_BASE=chaoskit/base:trixie
readonly TOXIPROXY_VERSION=2.12.0 ACTIONLINT_VERSION=1.7.12
readonly OFFICIAL_TOXIPROXY=ghcr.io/shopify/toxiproxy:$TOXIPROXY_VERSION OUR_TOXIPROXY=chaoskit/toxiproxy:$TOXIPROXY_VERSION
readonly LAB=chaoskit/lab:1 PARTICIPANTS=chaoskit/participants:1 MUSEUM=chaoskit/museum:1
readonly HASH_LABEL=io.chaoskit.sources # on our images: a hash of what they were built from
readonly DOCKERD_LOG=/var/log/chaoskit-dockerd.log

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 4; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Runs a command that has much to say, and shows that only when it fails.
quietly() {
  "$@" >"$scratch/output" 2>&1 9>&- && return
  tail -n 30 "$scratch/output" >&2
  die "failed: $*"
}

# ---- the virtual environment ----

setup_venv() {
  local python=${PYTHON:-python3} stamp=.venv/.setup-done
  [[ $stamp -nt requirements.lock && $stamp -nt pyproject.toml ]] && return
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    die "Python 3.11 or later is needed, and $python is $("$python" --version 2>&1 | head -n 1 || true); name another with PYTHON=..."
  say "installing the Python packages into .venv"
  # Debian's Python comes without venv: the message of venv itself says which package to install.
  quietly "$python" -m venv .venv
  quietly .venv/bin/python -m pip install --disable-pip-version-check -r requirements.lock
  quietly .venv/bin/python -m pip install --disable-pip-version-check --no-deps -e .
  touch "$stamp"
}

# Checks workflows in `make lint`. It comes as Go source only where no release can be downloaded.
setup_actionlint() {
  [[ -x .venv/bin/actionlint ]] || ! command -v go >/dev/null && return
  say "compiling actionlint $ACTIONLINT_VERSION"
  GOBIN=$PWD/.venv/bin quietly go install "github.com/rhysd/actionlint/cmd/actionlint@v$ACTIONLINT_VERSION"
}

# ---- Debian packages ----

can_install() { [[ $(id -u) == 0 && -e /etc/debian_version ]] && command -v apt-get >/dev/null; }

source_files() {
  find /etc/apt/sources.list /etc/apt/sources.list.d -type f \( -name '*.list' -o -name '*.sources' \) 2>/dev/null | sort
}

# Prints the Debian sources of this machine with the suite changed to trixie, in the one-line format or (with
# `sources`) in deb822. Whatever mirror the machine was given, trixie comes from the same one.
trixie_sources() { # CODENAME list|sources
  # Sources of third parties are left out: theirs are other suites (bookworm-pgdg) or other components (stable).
  source_files | grep "\.$2\$" | while read -r file; do
    if [[ $2 == list ]]; then
      grep -E "^deb +(\[[^]]*\] +)?[^ ]+ +$1(-updates|-security)? +(.* )?main( |\$)" "$file" |
        sed -E "s/ $1(-updates|-security)? / trixie\1 /" || true
    else
      awk -v codename="$1" 'BEGIN { RS = ""; ORS = "\n\n" }
        # Comments first: one may stand in front of a stanza and hide its first line from the test below.
        { gsub(/(^|\n)#[^\n]*/, ""); sub(/^\n+/, "") }
        $0 ~ "(^|\n)Suites:[^\n]* " codename "(-updates|-security)?( |\n|$)" && /(^|\n)Components:[^\n]* main( |\n|$)/ && !/(^|\n)Enabled: *no/ {
          gsub(" " codename, " trixie"); print }' "$file"
    fi
  done
}

# Writes the derived sources into a directory; fails when none of the suites is configured here.
write_trixie_sources() { # DIRECTORY
  local codename form
  for codename in bookworm trixie forky; do
    for form in list sources; do
      trixie_sources "$codename" "$form" >"$1/chaoskit-trixie.$form"
      [[ -s $1/chaoskit-trixie.$form ]] || rm "$1/chaoskit-trixie.$form"
    done
    compgen -G "$1/chaoskit-trixie.*" >/dev/null && return
  done
  return 1
}

# Installs packages from trixie (bookworm's Docker has no Compose 2). On an older Debian that suite is added
# with a low priority, so that nothing else is upgraded to it.
apt_install() { # PACKAGE...
  local trixie=() sources=()
  mapfile -t sources < <(source_files)
  if ! grep -qsE '^[^#]*\b(trixie|forky|testing|sid)\b' "${sources[@]}"; then
    mkdir "$scratch/sources"
    write_trixie_sources "$scratch/sources" ||
      die "no bookworm or later Debian source is configured in /etc/apt: install these yourself: $*"
    say "adding trixie to the apt sources, at a low priority (/etc/apt/sources.list.d/chaoskit-trixie.*)"
    cp "$scratch"/sources/* /etc/apt/sources.list.d/
    printf 'Package: *\nPin: release n=trixie*\nPin-Priority: 100\n' >/etc/apt/preferences.d/chaoskit-trixie
  fi
  mapfile -t sources < <(source_files)
  if grep -qsE '^[^#]*\btrixie\b' "${sources[@]}"; then trixie=(-t trixie); fi
  say "installing $* with apt-get"
  quietly apt-get update -qq
  DEBIAN_FRONTEND=noninteractive quietly apt-get install -y -qq --no-install-recommends "${trixie[@]}" "$@"
}

# ---- the Docker engine ----

engine_answers() { timeout 20 docker info >/dev/null 2>&1; }
# A CLI without the plug-in answers "docker: unknown command: docker compose".
compose_answers() { docker compose version >/dev/null 2>&1; }

# A pid file is stale when its process is gone, a zombie, or somebody else by now.
remove_stale_pid() { # FILE PROGRAM
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  if [[ $(cat "/proc/$pid/comm" 2>/dev/null) != "$2" ]] || grep -qs '^State:[[:space:]]*Z' "/proc/$pid/status"; then
    rm -f "$1"
  fi
}

start_engine() {
  if [[ -d /run/systemd/system ]]; then
    say "starting the Docker engine with systemctl"
    quietly systemctl start docker
  else
    say "starting the Docker engine in the background, its log is $DOCKERD_LOG"
    remove_stale_pid /var/run/docker.pid dockerd
    remove_stale_pid /run/docker/containerd/containerd.pid containerd
    # It must outlive this terminal (setsid) and not hold our lock (9).
    setsid dockerd >"$DOCKERD_LOG" 2>&1 </dev/null 9>&- &
  fi
  local deadline=$((SECONDS + 60))
  until engine_answers; do
    if ((SECONDS >= deadline)); then
      tail -n 20 "$DOCKERD_LOG" >&2 || true
      die "the Docker engine did not answer within 60 s"
    fi
    sleep 0.2
  done
}

setup_engine() {
  local missing=()
  if ! command -v docker >/dev/null; then missing+=(docker-cli); fi
  # Only Linux runs its engine here; elsewhere (Docker Desktop, Colima) starting it is the user's business.
  if [[ $(uname) == Linux ]] && ! engine_answers && ! command -v dockerd >/dev/null; then missing+=(docker.io docker-buildx); fi
  if ! compose_answers; then missing+=(docker-compose); fi
  if ((${#missing[@]})); then
    can_install || die "Docker with Compose 2 is needed and not complete here: see https://docs.docker.com/engine/install/"
    apt_install "${missing[@]}"
    hash -r
  fi
  engine_answers && return
  if [[ $(uname) == Linux && $(id -u) == 0 ]] && command -v dockerd >/dev/null; then
    start_engine
  else
    docker info 2>&1 | grep -iE 'error|denied|cannot' >&2 || true
    die "the Docker engine does not answer: start it (Docker Desktop, or \`sudo systemctl start docker\`), or run this as root"
  fi
}

# ---- the images ----

sources_hash() { # PATH...
  # shellcheck disable=SC2016  # the inner shell expands them
  find "$@" -type f ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z |
    xargs -0 sh -c 'for file; do echo "$file"; cat "$file"; done' _ |
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -c1-16
}

exists() { docker image inspect "$1" >/dev/null 2>&1; }

# Pulls an image when a registry answers. One that has not begun to send within 10 s never will (no network,
# a firewall that swallows packets); one that has may take its time.
pull() { # IMAGE
  say "trying to pull $1"
  # 9: a pull that hangs must not hold our lock.
  timeout 600 docker pull "$1" >"$scratch/pull" 2>&1 9>&- &
  local process=$! deadline=$((SECONDS + 10))
  while kill -0 "$process" 2>/dev/null; do
    if ((SECONDS >= deadline)) && ! grep -q 'Pulling from' "$scratch/pull"; then
      kill "$process" 2>/dev/null || true
    fi
    sleep 0.1
  done
  wait "$process"
}

make_base() {
  command -v mmdebstrap >/dev/null || {
    can_install || die "no registry answers for $OFFICIAL_BASE: set CHAOSKIT_BASE to a trixie image, or get mmdebstrap"
    apt_install mmdebstrap
  }
  say "no registry answers: making $OUR_BASE with mmdebstrap"
  mkdir "$scratch/base"
  local sources=()
  if write_trixie_sources "$scratch/base"; then sources=("$scratch"/base/*); fi
  quietly mmdebstrap --variant=minbase trixie "$scratch/base.tar" "${sources[@]}"
  quietly docker import --change 'CMD ["bash"]' "$scratch/base.tar" "$OUR_BASE"
}

make_toxiproxy() {
  command -v go >/dev/null || {
    can_install || die "no registry answers for $OFFICIAL_TOXIPROXY: set CHAOSKIT_TOXIPROXY_IMAGE, or install Go"
    local packages=(golang-go)
    # Go downloads over TLS, so it needs certificates.
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || packages+=(ca-certificates)
    apt_install "${packages[@]}"
  }
  say "compiling Toxiproxy $TOXIPROXY_VERSION for $OUR_TOXIPROXY"
  local module=github.com/Shopify/toxiproxy/v2 context=$scratch/toxiproxy version container
  mkdir "$context"
  # -trimpath and no debugging information: small, and the same bytes on every machine.
  GOBIN=$context CGO_ENABLED=0 quietly go install -trimpath \
    -ldflags "-s -w -X $module.Version=$TOXIPROXY_VERSION" \
    "$module/cmd/server@v$TOXIPROXY_VERSION" "$module/cmd/cli@v$TOXIPROXY_VERSION"
  mv "$context/server" "$context/toxiproxy"
  mv "$context/cli" "$context/toxiproxy-cli"
  cp compose/images/toxiproxy/Dockerfile "$context"
  quietly docker build --label "$HASH_LABEL=$1" -t "$OUR_TOXIPROXY" "$context"
  container=$(docker run -d -p 127.0.0.1::8474 "$OUR_TOXIPROXY")
  version=$("${PYTHON:-python3}" - "$(docker port "$container" 8474)" <<'PYTHON' || true
import json, sys, time, urllib.request
for _ in range(50):
    try:
        print(json.load(urllib.request.urlopen(f"http://{sys.argv[1]}/version", timeout=2))["version"])
        break
    except OSError:
        time.sleep(0.1)
PYTHON
  )
  docker rm -f "$container" >/dev/null
  [[ $version == "$TOXIPROXY_VERSION" ]] || die "$OUR_TOXIPROXY says it is version \"$version\""
}

# Without an image that was chosen by hand, official ones come first. Ours are not replaced when a registry
# turns up later: the same machine keeps the same images until --rebuild.
setup_images() { # [--rebuild]
  local rebuild=${1:-} toxiproxy_hash lab_hash participants_hash museum_hash have
  toxiproxy_hash=$(sources_hash compose/images/toxiproxy)
  lab_hash=$( (sources_hash compose/images/lab && echo "${CHAOSKIT_BASE:-}") | cksum | tr -d ' ')
  participants_hash=$( (sources_hash compose/participants && echo "$lab_hash") | cksum | tr -d ' ')
  museum_hash=$( (sources_hash compose/museum && echo "$lab_hash") | cksum | tr -d ' ')
  # One call for all: each costs some 30 ms. Those that are missing are errors, and the rest is printed.
  have=$(docker image inspect --format "{{join .RepoTags \" \"}} {{index .Config.Labels \"$HASH_LABEL\"}}" \
    "$OFFICIAL_TOXIPROXY" "$OUR_TOXIPROXY" "$LAB" "$PARTICIPANTS" "$MUSEUM" 2>/dev/null || true)
  fresh() { [[ $rebuild != --rebuild ]] && grep -q "$1 \(.* \)\?$2\$" <<<"$have"; }

  if [[ -n ${CHAOSKIT_TOXIPROXY_IMAGE:-} ]]; then
    exists "$CHAOSKIT_TOXIPROXY_IMAGE" || pull "$CHAOSKIT_TOXIPROXY_IMAGE" || die "cannot pull $CHAOSKIT_TOXIPROXY_IMAGE"
  elif ! grep -q "^$OFFICIAL_TOXIPROXY " <<<"$have" && ! fresh "$OUR_TOXIPROXY" "$toxiproxy_hash"; then
    pull "$OFFICIAL_TOXIPROXY" || make_toxiproxy "$toxiproxy_hash"
  fi

  if ! fresh "$LAB" "$lab_hash"; then
    local base=${CHAOSKIT_BASE:-}
    if [[ -z $base ]]; then
      base=$OFFICIAL_BASE
      if ! exists "$base"; then
        if exists "$OUR_BASE"; then
          base=$OUR_BASE
        elif ! pull "$base"; then
          base=$OUR_BASE
          make_base
        fi
      fi
    fi
    say "building $LAB from $base"
    quietly docker build ${rebuild:+--no-cache} --build-arg "BASE=$base" --label "$HASH_LABEL=$lab_hash" -t "$LAB" compose/images/lab
  fi
  if ! fresh "$PARTICIPANTS" "$participants_hash"; then
    say "building $PARTICIPANTS"
    quietly docker build --build-arg "LAB=$LAB" --label "$HASH_LABEL=$participants_hash" -t "$PARTICIPANTS" compose/participants
  fi
  if ! fresh "$MUSEUM" "$museum_hash"; then
    say "building $MUSEUM"
    quietly docker build --build-arg "LAB=$LAB" --label "$HASH_LABEL=$museum_hash" -t "$MUSEUM" compose/museum
  fi
}

# ---- a browser, for the tests of the page ----

setup_browser() {
  local version=4.14.1 missing=()
  command -v chromium >/dev/null || missing+=(chromium fonts-dejavu-core)
  [[ -e .cache/package/axe.min.js ]] || command -v npm >/dev/null || missing+=(npm)
  if ((${#missing[@]})); then
    can_install || die "the tests of the page need chromium and npm"
    apt_install "${missing[@]}"
  fi
  [[ -e .cache/package/axe.min.js ]] && return
  mkdir -p .cache
  quietly npm pack "axe-core@$version" --pack-destination .cache
  tar -xzf ".cache/axe-core-$version.tgz" -C .cache package/axe.min.js
}

# ---- one set-up at a time ----

# The engine and the images belong to the machine, so the lock is the machine's too (macOS has no flock).
if command -v flock >/dev/null; then
  exec 9>"${TMPDIR:-/tmp}/chaoskit-setup-$(id -u).lock"
  flock -n 9 || { say "waiting for another set-up to finish"; flock 9; }
fi

case ${1:-} in
  "")
    setup_venv
    setup_actionlint
    setup_engine
    setup_images
    ;;
  images)
    [[ -z ${2:-} || $2 == --rebuild ]] || { echo "usage: tools/setup.sh [images [--rebuild]]" >&2; exit 2; }
    setup_engine
    setup_images "${2:-}"
    ;;
  browser) setup_browser ;;
  *) echo "usage: tools/setup.sh [images [--rebuild] | browser]" >&2; exit 2 ;;
esac
