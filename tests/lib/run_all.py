"""Everything `make test` runs, one part after the other, and a plain count at the end.

Usage: run_all.py UNIT_PROGRAM …   (BUILD and FUZZ_TIME in the environment)
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import time

BUILD = os.environ["BUILD"]
# Units wait half of their time for what they let run into a limit.
AT_ONCE = 2 * max(2, os.cpu_count())
# Started first, so that none of them runs alone at the end.
LONG = ["queue/crash", "pgp/algorithms", "submission/walk", "seal/failures", "submission/session", "queue/role", "submission/order",
        "auth/stranger", "submission/allowance"]
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


def run_unit(program):
    """Exit code and output of one program."""
    # Into a file: a process that a broken test left behind would hold a pipe open for ever.
    with tempfile.TemporaryFile("w+", errors="replace") as file:
        code = subprocess.run(["timeout", "-k", "5", "300", program], stdout=file, stderr=subprocess.STDOUT).returncode
        file.seek(0)
        return code, file.read()


def lasts_long(program):
    """For sorting: those of LONG in front, the others as they came."""
    return next((i for i, name in enumerate(LONG) if f"{name}_test" in program), len(LONG))


def run_units(programs):
    started = time.monotonic()
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for program, (code, output) in pool.map(lambda p: (p, run_unit(p)), sorted(programs, key=lasts_long)):
            passed += len(re.findall(r"^\[ +OK ] ", output, re.M))
            skipped += len(re.findall(r"^\[  SKIPPED ] (?!\d)", output, re.M)) // 2
            if code != 0:
                print(output)
                print(f"{program}: FAILED (exit {code})", flush=True)
                failed += max(len(re.findall(r"^\[  (?:FAILED|ERROR) +] (?!\d)(?!---)", output, re.M)) // 2, 1)
    return "units", passed, failed, skipped, time.monotonic() - started


def run_pytest(name, say, *words):
    """SAY(line) takes each line of output as it comes."""
    started = time.monotonic()
    process = subprocess.Popen(PYTEST + list(words), stdout=subprocess.PIPE, text=True, errors="replace")
    last = ""
    for line in process.stdout:
        say(line)
        if line.strip():
            last = line
    process.wait()

    def number(word):
        found = re.search(rf"(\d+) {word}", last)
        return int(found.group(1)) if found else 0

    failed = number("failed") + number("errors?")
    if process.returncode not in (0,) and failed == 0:
        failed = 1
    return name, number("passed"), failed, number("skipped"), time.monotonic() - started


def say_now(line):
    sys.stdout.write(line)
    sys.stdout.flush()


def run_servers(count):
    """End-to-end tests and faults, which wait more than they work: four processes, each with the servers of its files, and
    one for the faults beside them."""
    kept = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        faults = pool.submit(run_pytest, "faults", kept.append, "tests/fault")
        count.add(*run_pytest("end to end", say_now, "-n", "4", "--dist", "loadfile", "--durations", "25", "tests/e2e"))
        found = faults.result()
    say_now("".join(kept))
    count.add(*found)


def run_fuzzers(seconds):
    started = time.monotonic()
    done = subprocess.run(["tests/lib/run_fuzz.sh", f"{BUILD}/fuzzing/sanitized/fuzz", seconds],
                          stdout=subprocess.PIPE, text=True, errors="replace")
    print(done.stdout, end="", flush=True)
    found = re.search(r"^fuzzers: (\d+) passed, (\d+) failed", done.stdout, re.M)
    passed, failed = (int(found.group(1)), int(found.group(2))) if found else (0, 1)
    return "fuzzers", passed, failed, 0, time.monotonic() - started


def run_small(count, programs, fuzz_seconds):
    """Units and, beside them, fuzzers."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        fuzzers = pool.submit(run_fuzzers, fuzz_seconds)
        count.add(*run_units(programs))
        count.add(*fuzzers.result())


def main():
    count = Count()
    run_small(count, sys.argv[1:], os.environ.get("FUZZ_TIME", "5"))
    run_servers(count)
    print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
