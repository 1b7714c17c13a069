"""Everything `make test` runs, one part after the other, and a plain count at the end.

Usage: run_all.py UNIT_PROGRAM …   (BUILD and FUZZ_TIME in the environment)
"""
import os
import re
import subprocess
import sys
import tempfile
import time

BUILD = os.environ["BUILD"]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs"]


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, name, passed, failed, skipped, seconds):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        skips = f", {skipped} skipped" if skipped else ""
        print(f"== {name}: {passed} passed, {failed} failed{skips} ({seconds:.0f} s)", flush=True)


def run_units(count, programs):
    started = time.monotonic()
    passed = failed = skipped = 0
    for program in programs:
        # Into a file: a process that a broken test left behind would hold a pipe open for ever.
        with tempfile.TemporaryFile("w+", errors="replace") as file:
            code = subprocess.run(["timeout", "-k", "5", "300", program], stdout=file, stderr=subprocess.STDOUT).returncode
            file.seek(0)
            output = file.read()
        good = len(re.findall(r"^\[ +OK ] ", output, re.M))
        bad = len(re.findall(r"^\[  (?:FAILED|ERROR) +] (?!\d)(?!---)", output, re.M))
        skipped += len(re.findall(r"^\[  SKIPPED ] (?!\d)", output, re.M)) // 2
        if code != 0:
            print(output)
            print(f"{program}: FAILED (exit {code})", flush=True)
            bad = max(bad // 2, 1)
        else:
            bad = 0
        passed += good
        failed += bad
    count.add("units", passed, failed, skipped, time.monotonic() - started)


def run_pytest(count, name, *words):
    started = time.monotonic()
    process = subprocess.Popen(PYTEST + list(words), stdout=subprocess.PIPE, text=True, errors="replace")
    last = ""
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        if line.strip():
            last = line
    process.wait()

    def number(word):
        found = re.search(rf"(\d+) {word}", last)
        return int(found.group(1)) if found else 0

    failed = number("failed") + number("errors?")
    if process.returncode not in (0,) and failed == 0:
        failed = 1
    count.add(name, number("passed"), failed, number("skipped"), time.monotonic() - started)


def run_fuzzers(count, seconds):
    started = time.monotonic()
    done = subprocess.run(["tests/lib/run_fuzz.sh", f"{BUILD}/fuzzing/sanitized/fuzz", seconds],
                          stdout=subprocess.PIPE, text=True, errors="replace")
    print(done.stdout, end="")
    found = re.search(r"^fuzzers: (\d+) passed, (\d+) failed", done.stdout, re.M)
    passed, failed = (int(found.group(1)), int(found.group(2))) if found else (0, 1)
    count.add("fuzzers", passed, failed, 0, time.monotonic() - started)


def main():
    count = Count()
    run_units(count, sys.argv[1:])
    run_fuzzers(count, os.environ.get("FUZZ_TIME", "5"))
    # They wait more than they work: three processes, each with the servers of its files.
    run_pytest(count, "end to end", "-n", "3", "--dist", "loadfile", "tests/e2e")
    run_pytest(count, "faults", "tests/fault")
    print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
