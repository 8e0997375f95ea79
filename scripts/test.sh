#!/usr/bin/env bash
# Runs every check of the project, one after another, each announced with its time; goes on after a failure, so that one
# run tells all, and ends with the counts. `test.sh NAME...` runs only the steps of these names.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

venv=${XDG_CACHE_HOME:-$HOME/.cache}/muster/venv
export PATH=$PATH:$venv/bin
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export MUSTER_BIN=$CARGO_TARGET_DIR/debug/muster
export PYTHONDONTWRITEBYTECODE=1 CARGO_TERM_PROGRESS_WHEN=${CARGO_TERM_PROGRESS_WHEN:-auto}
chosen=("$@")
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

report=()
failed_steps=0
passed=0
failed=0

# step NAME WHAT COMMAND...
step() {
    local name=$1 what=$2 began status counted took
    shift 2
    if [ ${#chosen[@]} -gt 0 ] && [[ " ${chosen[*]} " != *" $name "* ]]; then
        return
    fi
    printf '\n==> %s: %s\n' "$name" "$what"
    began=$SECONDS
    "$@" 2>&1 | tee "$logs/$name"
    status=${PIPESTATUS[0]}
    took=$((SECONDS - began))
    counted=$(count "$logs/$name")
    passed=$((passed + ${counted% *}))
    failed=$((failed + ${counted#* }))
    if [ "$status" -eq 0 ]; then
        report+=("$(printf '%-9s ok      %4d s  %s' "$name" "$took" "$(tests_of "$counted")")")
    else
        failed_steps=$((failed_steps + 1))
        report+=("$(printf '%-9s FAILED  %4d s  %s' "$name" "$took" "$(tests_of "$counted")")")
    fi
    printf '<== %s: %s in %d s\n' "$name" "$([ "$status" -eq 0 ] && echo ok || echo FAILED)" "$took"
}

# "PASSED FAILED" out of the closing lines of nextest, cargo test and pytest.
count() {
    sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
        function number(word,   found) {
            return match($0, "[0-9]+ (tests? )?" word) ? substr($0, RSTART) + 0 : 0
        }
        /^ *Summary \[/ || /^test result:/ || /^=* ?[0-9]+ (passed|failed|error).* in [0-9.]+s/ {
            good += number("passed"); bad += number("failed") + number("error")
        }
        END { print good + 0, bad + 0 }'
}

tests_of() {
    if [ "$1" != "0 0" ]; then
        printf '%d passed, %d failed' "${1% *}" "${1#* }"
    fi
}

pytest() {
    "$venv/bin/python" -m pytest -q -p no:cacheprovider "$@"
}

# Only of crates that have some: for the others this would compile what they depend on once more, with fewer features.
doctests() {
    local crates=()
    # An example begins where a fence without another language opens.
    # shellcheck disable=SC2016
    mapfile -t crates < <(git ls-files 'crates/*/src/*.rs' | xargs awk '
        FNR == 1 { inside = 0 }
        /^[ \t]*\/\/[\/!] ```/ { if (!inside && /```(rust)?[ \t]*$/) print FILENAME; inside = !inside }
    ' | cut -d/ -f2 | sort -u)
    if [ ${#crates[@]} -gt 0 ]; then
        cargo test --doc "${crates[@]/#/--package=}"
    else
        echo "there are none"
    fi
}

deny() {
    if ! command -v cargo-deny >/dev/null; then
        echo "SKIPPED: cargo-deny is not installed"
        return
    fi
    echo "advisories are not checked: their database comes from the network (cargo deny check advisories)"
    cargo-deny --log-level error check licenses bans sources
}

scripts() {
    local file
    for file in scripts/*.sh bench/*.sh .ci/run; do
        bash -n "$file" || return 1
    done
    if command -v shellcheck >/dev/null; then
        shellcheck scripts/*.sh bench/*.sh .ci/run
    else
        echo "shellcheck is not installed: syntax checked only"
    fi
}

# The first 360 stories, in code that is optimised: they last some two million host-hours. A swarm that has become smaller
# proves less and says so.
swarm() {
    local told=$logs/swarm.told
    cargo build --quiet -p simulator --profile swarm --example swarm || return 1
    MUSTER_SWARM_SEEDS=360 "$CARGO_TARGET_DIR/swarm/examples/swarm" | tee "$told" || return 1
    awk '/^swarm at/ { seeds = $5 + 0; hours = $7 + 0 }
        END { if (seeds < 300 || hours < 1500000) { print "too small: " seeds " seeds, " hours " host-hours"; exit 1 } }' "$told"
}

started=$SECONDS
step fmt "cargo fmt --check" cargo fmt --all --check
step scripts "syntax of the shell scripts" scripts
step tidy "the text of the repository" pytest tests/tidy
step deny "licences, bans and sources of dependencies" deny
step cfn "cfn-lint of the CloudFormation templates" "$venv/bin/cfn-lint" deploy/cloudformation/*.yaml
step clippy "cargo clippy, warnings are errors" cargo clippy --workspace --all-targets -- -D warnings
step build "the program and all tests" cargo nextest run --workspace --no-run
step unit "cargo nextest of all crates" cargo nextest run --workspace --no-fail-fast
step swarm "the swarm: drawn stories, every judge" swarm
step doc "examples in documentation" doctests
step aws "moto, boto3 and the AWS CLI" pytest tests/aws
step readme "every command of the README and the guide" pytest tests/readme

printf '\n%s\n' "All steps, $((SECONDS - started)) s:"
printf '  %s\n' "${report[@]}"
printf '\ntests: %d passed, %d failed\n' "$passed" "$failed"
if [ "$failed_steps" -gt 0 ]; then
    printf 'steps that failed: %d\n' "$failed_steps"
    exit 1
fi
