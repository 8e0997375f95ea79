#!/usr/bin/env bash
# `make bench`: every measurement beside its peers, one after another on an otherwise idle machine. What each prints goes
# into bench/RESULTS.md by hand, with the machine and the date.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${XDG_CACHE_HOME:-$HOME/.cache}/muster/venv
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}

echo "building for release; the first time takes over ten minutes"
cargo build --release -p muster -p peers

echo "==> events: decode, match and apply, beside quamina and Python"
"$venv/bin/python" bench/run_ingest.py --ingest "$CARGO_TARGET_DIR/release/ingest"

echo "==> the pretend account, beside moto"
"$venv/bin/python" bench/simulator_vs_moto.py
