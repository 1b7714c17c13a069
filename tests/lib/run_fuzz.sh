#!/bin/sh
# Runs each fuzzer in FOLDER for SECONDS from its corpus; what it finds new is kept beside the build, never in the tree.
# Usage: run_fuzz.sh FOLDER SECONDS
set -u
cd "$(dirname "$0")/../.."
folder=$1 seconds=$2 passed=0 failed=0
for program in "$folder"/*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    name=$(basename "$program")
    found=$folder/found-$name
    mkdir -p "$found"
    set -- "$found"
    [ -d "tests/fuzz/corpus/$name" ] && set -- "$@" "tests/fuzz/corpus/$name"
    [ -f "tests/fuzz/$name.dict" ] && set -- "-dict=tests/fuzz/$name.dict" "$@"
    if output=$("$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$folder/crash-$name-" "$@" 2>&1); then
        passed=$((passed + 1))
        printf 'fuzz %-16s %s runs, clean\n' "$name" "$(printf '%s\n' "$output" | sed -n 's/^stat::number_of_executed_units: //p')"
    else
        failed=$((failed + 1))
        printf '%s\nfuzz %s: FAILED (input kept as %s/crash-%s-…)\n' "$(printf '%s\n' "$output" | tail -n 40)" "$name" "$folder" "$name"
    fi
done
echo "fuzzers: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
