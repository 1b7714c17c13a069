#!/usr/bin/python3
"""
Memory of every role while many messages go through: it must stop growing.

Run by `make bench-flat`; options in BENCH, such as BENCH="--messages 10000". Prints one JSON object; exit code 1 when a
message was not accepted or a role of which one process lives through it all has grown after the first quarter.
"""

import argparse
import contextlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import keys  # noqa: E402
import measure  # noqa: E402
import servers  # noqa: E402
from pki import Pki  # noqa: E402
from tools import BUILD, remove_folder, run, short_folder, wait_until  # noqa: E402

# Seal and password workers are replaced after a number of jobs, so what they keep is bounded anyway.
LONG_LIVED = ("supervisor", "submission", "auth", "keys", "queue", "delivery", "control")
GROWTH_MAX_KB = 2048  # per process: what allocators and caches round up to
STEPS = 12


def memory(gateway):
    """{role: kB of private memory of its processes together}"""
    def private(pid):
        smaps = measure.read(pid, "smaps_rollup")
        return sum(measure.kilobytes(smaps, f"Private_{kind}") or 0 for kind in ("Clean", "Dirty"))
    return {role: sum(private(pid) for pid in gateway.pids(role)) for role in LONG_LIVED}


def send(gateway, sink, messages, to):
    sessions = 20
    count = sink.count
    done = run(BUILD / "load", *gateway.load_words(), "--to", to, "--sessions", sessions,
               "--messages", -(-messages // sessions), "--size", 1024, timeout=1800, check=False)
    result = json.loads(done.stdout)
    wait_until(lambda: sink.count >= count + result["sent"], "everything reached the sink", 300)
    return result


def measured(o):
    with contextlib.ExitStack() as stack:
        folder = short_folder()
        stack.callback(remove_folder, folder)
        sink = servers.Sink(folder)
        stack.callback(sink.close)
        ring = keys.Keyring(folder)
        stack.callback(ring.close)
        gateway = servers.Gateway(Pki(folder), f"[127.0.0.1]:{sink.port}", 4)
        gateway.settings["limits"] = {"transactions": 1000000}
        gateway.write_conf()
        stack.callback(gateway.close)
        gateway.start().add_keys(ring.smime("smime@example.com"))
        steps, sent, failed = [], 0, 0
        for _ in range(STEPS):
            result = send(gateway, sink, -(-o.messages // STEPS), "smime@example.com")
            sent, failed = sent + result["sent"], failed + result["failed"]
            steps.append({"messages": sent, **memory(gateway)})
        processes = {role: max(len(gateway.pids(role)), 1) for role in LONG_LIVED}
        grown = {role: steps[-1][role] - steps[STEPS // 4][role] for role in LONG_LIVED}
        return {"sent": sent, "failed": failed, "steps_kb": steps, "grown_kb": grown,
                "flat": all(grown[role] <= GROWTH_MAX_KB * processes[role] for role in LONG_LIVED)}


def main():
    parser = argparse.ArgumentParser(prog="flat.py", description="memory while many messages go through")
    parser.add_argument("--messages", type=int, default=100000)
    result = measured(parser.parse_args())
    print(json.dumps(result, indent=1))
    return 0 if result["flat"] and not result["failed"] else 1


if __name__ == "__main__":
    sys.exit(main())
