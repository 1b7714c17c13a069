#!/bin/sh
# Runs each unit test program given; prints its output only when it fails; ends in a count.
output=$(mktemp)
trap 'rm -f "$output"' EXIT
passed=0 failed=0
for program in "$@"; do
    # Into a file: a process that a broken test left behind would hold a pipe open for ever.
    if timeout -k 5 300 "$program" >"$output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        cat "$output"
        echo "$program: FAILED"
    fi
done
echo "unit programs: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
