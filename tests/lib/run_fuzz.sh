#!/bin/sh
# Runs each fuzzer in FOLDER for SECONDS, one on each processor at a time; ends in a count.
# Usage: run_fuzz.sh FOLDER SECONDS
set -u
said=$(mktemp)
trap 'rm -f "$said"' EXIT
find "$1" -maxdepth 1 -type f -perm -u+x | sort | xargs -P "$(nproc)" -n 1 "$(dirname "$0")/fuzz_one.sh" "$2" | tee "$said"
passed=$(grep -c '^fuzz .* runs, clean$' "$said")
started=$(find "$1" -maxdepth 1 -type f -perm -u+x | wc -l)
echo "fuzzers: $passed passed, $((started - passed)) failed"
[ "$passed" -eq "$started" ] && [ "$started" -gt 0 ]
