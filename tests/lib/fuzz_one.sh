#!/bin/sh
# Runs one fuzzer for SECONDS from its corpus and says a line about it; what it finds new is kept beside the build, never in the tree.
# Usage: fuzz_one.sh SECONDS PROGRAM
set -u
cd "$(dirname "$0")/../.."
seconds=$1 program=$2
folder=$(dirname "$program") name=$(basename "$program")
found=$folder/found-$name
mkdir -p "$found"
set -- "$found"
[ -d "tests/fuzz/corpus/$name" ] && set -- "$@" "tests/fuzz/corpus/$name"
[ -f "tests/fuzz/$name.dict" ] && set -- "-dict=tests/fuzz/$name.dict" "$@"
if output=$("$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$folder/crash-$name-" "$@" 2>&1); then
    printf 'fuzz %-16s %s runs, clean\n' "$name" "$(printf '%s\n' "$output" | sed -n 's/^stat::number_of_executed_units: //p')"
else
    printf '%s\nfuzz %s: FAILED (input kept as %s/crash-%s-…)\n' "$(printf '%s\n' "$output" | tail -n 40)" "$name" "$folder" "$name"
fi
