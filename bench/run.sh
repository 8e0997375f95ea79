#!/usr/bin/env bash
# `make bench`: every measurement beside its peers, one after another, on a machine that is otherwise as idle as can be
# had. What it prints goes into bench/RESULTS.md, with the machine and the date, by whoever has looked at it.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${XDG_CACHE_HOME:-$HOME/.cache}/muster/venv
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
built=$CARGO_TARGET_DIR/release

echo "building for release; the first time takes over ten minutes"
cargo build --release -p muster -p peers
cargo build --release -p simulator --example speed --example serve
cargo build --release -p query --example bench_queries

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), kernel $(uname -r), load $(cut -d' ' -f1-3 /proc/loadavg), $(date -u +%F)"

echo "==> events: decode, match and apply, beside quamina and Python"
"$venv/bin/python" bench/run_ingest.py --ingest "$built/ingest" || echo "a bar was missed or could not be measured"

echo "==> memory, churn and restart"
"$built/state_mem"

echo "==> calls of the API, in virtual time"
"$built/reconcile"

echo "==> room: how many copies fit, and keeping the count of what is free"
"$built/fit" || echo "a bar was missed"

echo "==> a day of events on 300 hosts: muster's calls beside those of the seed"
"$built/ledger" || echo "a bar was missed"

echo "==> a storm: pages made of it, and what telling costs"
"$built/storm"

echo "==> the same storms with the real senders, and receivers that refuse, hang and cut"
"$built/storm_receivers" --dir "$CARGO_TARGET_DIR" || echo "a bar was missed"

echo "==> from an event to its intent and its page, beside fdatasync of the same disk"
"$built/latency" --dir "$CARGO_TARGET_DIR" || echo "a bar was missed"

echo "==> virtual time, and the weight of a pretend account of 100,000 hosts"
"$built/examples/speed"

echo "==> the pretend account, beside moto"
"$venv/bin/python" bench/simulator_vs_moto.py || echo "not measured"

echo "==> muster scan, beside boto3"
"$venv/bin/python" bench/scan_vs_boto3.py --muster "$built/muster"

echo "==> nine queries, beside DuckDB, Polars and chDB"
"$venv/bin/python" bench/query.py --bench "$built/examples/bench_queries" --muster "$built/muster" \
  || echo "a bar was missed or could not be measured"
