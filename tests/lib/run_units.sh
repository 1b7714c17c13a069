#!/bin/sh
# Runs each unit test program given; prints its output only when it fails; ends in a count.
passed=0 failed=0
for program in "$@"; do
    if output=$("$program" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s\n%s: FAILED\n' "$output" "$program"
    fi
done
echo "unit programs: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
