#!/usr/bin/python3
"""
Thousands of idle and slow TLS connections, and normal mail beside them: memory per connection, time to 250.

Run by `make bench-idle`; options in BENCH, such as BENCH="--idle 2000 --slow 200". Prints one JSON object; exit code 1
when a connection was lost or a message was not accepted.
"""

import argparse
import contextlib
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import keys  # noqa: E402
import measure  # noqa: E402
import servers  # noqa: E402
from pki import Pki  # noqa: E402
from tools import BUILD, remove_folder, run, short_folder  # noqa: E402


class Gateway(servers.Gateway):
    """Lets one address have as many sessions as the test wants, for as long as it takes."""

    limits = {"sessions": 20000, "sessions-per-client": 20000, "before-auth": "1h", "command": "1h"}

    def __init__(self, pki, route):
        super().__init__(pki, route, 4)
        self.settings["limits"] = self.limits
        self.write_conf()


class Hold:
    """build/hold while its connections are open."""

    def __init__(self, port, idle, slow):
        self.process = subprocess.Popen([BUILD / "hold", "--port", str(port), "--idle", str(idle), "--slow", str(slow)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the connections did not come up"

    def end(self):
        """{"idle": …, "slow": …}: how many were still open."""
        said, _ = self.process.communicate(timeout=60)
        return json.loads(said)


def memory(gateway, role="submission"):
    """Of all processes of a role, PSS in kB."""
    return sum(measure.kilobytes(measure.read(pid, "smaps_rollup"), "Pss") or 0 for pid in gateway.pids(role))


def load(gateway, o):
    done = run(BUILD / "load", *gateway.load_words(), "--to", "smime@example.com", "--sessions", 20,
               "--messages", max(1, int(o.rate * o.seconds) // 20), "--rate", o.rate, timeout=600, check=False)
    return json.loads(done.stdout)


def measured(o):
    with contextlib.ExitStack() as stack:
        folder = short_folder()
        stack.callback(remove_folder, folder)
        sink = servers.Sink(folder)
        stack.callback(sink.close)
        ring = keys.Keyring(folder)
        stack.callback(ring.close)
        gateway = Gateway(Pki(folder), f"[127.0.0.1]:{sink.port}")
        stack.callback(gateway.close)
        gateway.start().add_keys(ring.smime("smime@example.com"))
        alone = load(gateway, o)
        before = memory(gateway)
        held = Hold(gateway.port, o.idle, o.slow)
        after = memory(gateway)
        beside = load(gateway, o)
        alive = held.end()
        return {"idle": o.idle, "slow": o.slow, "still_open": alive, "memory_kb": {"before": before, "with": after},
                "kb_per_connection": round((after - before) / (o.idle + o.slow), 2), "alone": alone, "beside": beside}


def main():
    parser = argparse.ArgumentParser(prog="idle.py", description="idle and slow connections beside normal mail")
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=200, help="messages a second, S/MIME (default 200)")
    parser.add_argument("--seconds", type=float, default=20, help="of each load (default 20)")
    result = measured(parser.parse_args())
    print(json.dumps(result, indent=2))
    lost = (result["still_open"] != {"idle": result["idle"], "slow": result["slow"]} or result["alone"]["failed"]
            or result["beside"]["failed"])
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
