#!/usr/bin/python3
"""
The same load through the gateway and through Postfix, alternating in one run, with smtp-sink as the next hop.

Run by `make bench`; options in BENCH, such as BENCH="--rounds 5". Prints tables, writes build/bench.json, and doc/load.tsv
with its pictures; with --quick, which is for trying, that goes to build/ too.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import keys  # noqa: E402
import measure  # noqa: E402
import plots  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402
from pki import Pki  # noqa: E402
from tools import AS_ROOT, BUILD, remove_folder, run, short_folder, wait_until  # noqa: E402

KINDS = ("postfix", "clear", "smime", "openpgp")
QUICK = {"rounds": 1, "messages": 10, "reconnect_messages": 2, "half_seconds": 1, "loads": [1, 5, 20], "load_seconds": 0.5}


def options():
    parser = argparse.ArgumentParser(prog="bench.py", description="load through the gateway and through Postfix")
    parser.add_argument("--rounds", type=int, default=7, help="each case is measured so often (default 7)")
    parser.add_argument("--sessions", type=int, default=20, help="SMTP sessions at once (default 20)")
    parser.add_argument("--messages", type=int, default=50, help="messages of each session (default 50)")
    parser.add_argument("--reconnect-messages", type=int, default=10,
                        help="the same with a new connection for each message, 0: leave that out (default 10)")
    parser.add_argument("--half-seconds", type=float, default=5, help="time at half load, 0: leave out (default 5)")
    parser.add_argument("--loads", nargs="*", type=int, default=(1, 2, 5, 10, 20, 40),
                        help="sessions at once in the pictures (default 1 2 5 10 20 40), none: leave them out")
    parser.add_argument("--load-seconds", type=float, default=3, help="about the time of each of those (default 3)")
    parser.add_argument("--size", type=int, default=10240, help="bytes of a message (default 10240)")
    parser.add_argument("--workers", type=int, default=4, help="seal workers (default 4, as the gateway's)")
    parser.add_argument("--openpgp", default="rsa3072", help="OpenPGP algorithm: rsa3072 (default), cv25519, …")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="only these")
    parser.add_argument("--quick", action="store_true", help="little of everything, for trying; the pictures go to build/")
    if parser.parse_args().quick:
        parser.set_defaults(**QUICK)
    return parser.parse_args()


class Bench:
    """The servers, and a load through one of them."""

    def __init__(self, o, stack):
        self.o = o
        self.folder = short_folder()
        stack.callback(remove_folder, self.folder)
        self.sink = servers.Sink(self.folder)
        stack.callback(self.sink.close)
        pki = Pki(self.folder)
        self.person = self._people(stack)
        route = f"[127.0.0.1]:{self.sink.port}"
        self.servers = {}
        if "postfix" in o.kinds:
            self.servers["postfix"] = servers.Relay(pki, route)
            stack.callback(self.servers["postfix"].close)
        if set(o.kinds) != {"postfix"}:
            gateway = self.servers["gateway"] = servers.Gateway(pki, route, o.workers)
            stack.callback(gateway.close)
            gateway.start().add_keys(*self.person.values())
        self.meters = {name: measure.Meter(s.root, s.role, s.heir) for name, s in self.servers.items()}

    def _people(self, stack):
        ring = keys.Keyring(self.folder)
        stack.callback(ring.close)
        return {"openpgp": ring.openpgp("openpgp@example.com", algorithm=self.o.openpgp), "smime": ring.smime("smime@example.com")}

    def load(self, kind, messages, *more, sessions=None):
        """One load of SESSIONS (by default as the options say), MESSAGES each, until all of it has reached the sink: what the generator says, and CPU time by role."""
        name, sessions = kind if kind == "postfix" else "gateway", sessions or self.o.sessions
        server, meter = self.servers[name], self.meters[name]
        count, before, end_watch = self.sink.count, measure.tree(server.root), meter.watch()
        done = run(BUILD / "load", *server.load_words(), "--to", f"{'clear' if kind == 'postfix' else kind}@example.com",
                   "--sessions", sessions, "--messages", messages, "--size", self.o.size, *more,
                   check=False, timeout=600)
        if not done.stdout:
            raise AssertionError(f"{kind}: load: {done.stderr.decode()}\n{server.tail()}")
        accepted = time.monotonic()
        result = json.loads(done.stdout)
        if result["failed"]:
            print(f"bench: {kind}: {result['failed']} of {messages * sessions} messages failed; the log ends:\n"
                  f"{server.tail()}", file=sys.stderr)
        wait_until(lambda: self.sink.count >= count + result["sent"],
                   lambda: f"{kind}: {self.sink.count - count} of {result['sent']} at the sink\n{server.tail()}", 300)
        seconds = result["seconds"] + time.monotonic() - accepted
        end_watch()
        time.sleep(0.2)  # the queues remove what is done
        cpu = meter.cpu(before, measure.tree(server.root))
        sent = max(result["sent"], 1)
        return {**result, "delivered_per_second": result["sent"] / seconds,
                "cpu_ms": {role: 1000 * s / sent for role, s in cpu.items()}}

    def gpgme(self, messages):
        """Messages per second of GPGME alone, with as many processes as there are seal workers."""
        home = self.folder / "rate"
        home.mkdir(mode=0o700, exist_ok=True)
        each = max(messages * self.o.sessions // self.o.workers, 1)
        said = run(BUILD / "gpgme_rate", self.person["openpgp"].certificate, home, self.o.workers, each, self.o.size,
                   timeout=600)
        return json.loads(said.stdout)


def over_load(bench, o, rates):
    """[{kind, sessions, …}, …], as plots.FIELDS. RATES: messages per second at full load by kind; a session alone reaches a
    part of it."""
    rows = []
    for sessions in o.loads:
        print(f"{sessions} session{'s' if sessions > 1 else ''} …", file=sys.stderr, flush=True)
        for kind in o.kinds:
            messages = max(round(rates[kind] * o.load_seconds * min(sessions / 4, 1) / sessions), 5)
            r = bench.load(kind, messages, sessions=sessions)
            rows.append({"kind": kind, "sessions": sessions, "accepted_per_second": round(r["per_second"], 1),
                         "delivered_per_second": round(r["delivered_per_second"], 1), "p50_ms": r["p50_ms"],
                         "p99_ms": r["p99_ms"], "failed": r["failed"]})
    return rows


def measure_all(bench, o):
    """{"steady": {kind: [result, …]}, "reconnect": …, "half": …, "loads": [row, …], "gpgme": [result, …], "busy": share of
    the cores}"""
    found = {"steady": {k: [] for k in o.kinds}, "reconnect": {k: [] for k in o.kinds}, "half": {}, "gpgme": [],
             "busy": measure.busy()}
    for kind in o.kinds:  # caches, processes and code pages are warm then
        bench.load(kind, 3)
    for number in range(1, o.rounds + 1):
        print(f"round {number} of {o.rounds} …", file=sys.stderr, flush=True)
        for kind in o.kinds:
            found["steady"][kind].append(bench.load(kind, o.messages))
        if "openpgp" in o.kinds:
            found["gpgme"].append(bench.gpgme(o.messages))
        for kind in o.kinds if o.reconnect_messages else ():
            found["reconnect"][kind].append(bench.load(kind, o.reconnect_messages, "--reconnect"))
    rates = {kind: report.median(found["steady"][kind], "per_second") for kind in o.kinds}
    for kind in o.kinds if o.half_seconds else ():
        rate = rates[kind] / 2
        messages = max(round(rate * o.half_seconds / o.sessions), 2)
        found["half"][kind] = [bench.load(kind, messages, "--rate", f"{rate:.1f}")]
    found["loads"] = over_load(bench, o, rates)
    return found


def draw(o, result):
    """The figures over load and their pictures, in doc/ or, when quick, in build/. Returns the folder."""
    folder = BUILD if o.quick else plots.DOC
    about = result["about"]
    note = (f"{time.strftime('%Y-%m-%d')}, {about['cores']} × {about['cpu']}; messages of {o.size} bytes; "
            f"other programs used {result['busy']:.0%} of the cores before")
    plots.write_table(folder / "load.tsv", note, result["loads"])
    plots.draw(folder)
    return folder


def memory(bench):
    """kB: at rest, the peak, and by role, of gateway and Postfix."""
    return {name: {"rest_pss": m.pss_rest, "peak_pss": m.pss_peak, "peak_rss": dict(m.peaks)}
            for name, m in bench.meters.items()}


def about(bench, o):
    """What the numbers hang on."""
    packages = ("postfix", "gnupg", "libgpgme11", "libssl3", "libsqlite3-0")
    said = run("dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *packages, check=False).stdout.decode()
    model = [l.partition(":")[2].strip() for l in measure.read("cpuinfo").splitlines() if l.startswith("model name")]
    return {"cores": os.cpu_count(), "cpu": model[0] if model else platform.machine(), "kernel": platform.release(),
            "packages": said.splitlines(), "options": {**vars(o), "kinds": list(o.kinds)},
            "file system": run("df", "--output=fstype", bench.folder).stdout.decode().split()[-1]}


def main():
    o = options()
    if not AS_ROOT and "postfix" in o.kinds:
        print("bench: Postfix starts only as root; left out", file=sys.stderr)
        o.kinds = [k for k in o.kinds if k != "postfix"]
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        try:
            bench = Bench(o, stack)
            found = measure_all(bench, o)
        except AssertionError as e:
            print(f"bench: {e}", file=sys.stderr)
            return 1
        result = {"about": about(bench, o), "ratios": report.ratios(found), "memory": memory(bench), **found}
    result["about"]["seconds"] = round(time.monotonic() - started)
    path = BUILD / "bench.json"
    path.write_text(json.dumps(result, indent=1, default=str) + "\n")
    report.show(result)
    print(f"\nAll figures: {os.path.relpath(path)}")
    if result["loads"]:
        print(f"Over load: load.tsv, throughput.svg and latency.svg in {os.path.relpath(draw(o, result))}")
    failed = sum(row["failed"] for row in result["loads"]) + sum(r["failed"] for part in ("steady", "reconnect", "half") for rs in found[part].values() for r in rs)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
