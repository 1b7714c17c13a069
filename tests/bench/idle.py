"""
What connections cost that do nothing, and whether mail flows beside them (A17, A18).

Opens --idle TLS connections that have said EHLO, and --slow ones that send a byte of a command each second, to one
submission process, and measures its memory, and the time from the final dot to the 250 of messages sent one after the
other, without and with them. Usage: idle.py [--idle 10000] [--slow 1000] [--messages 200]   (BUILD in the environment)
"""

import argparse
import os
import pathlib
import resource
import select
import signal
import socket
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from gateway import USER, Gateway, mail
from pki import Pki, server_context
from sink import Sink
from tools import remove_folder, short_folder
import smtp

PER_PROCESS = 2500  # clients held by one process
EHLO = b"EHLO client.example.org\r\n"


def connect(gateway, context, address):
    raw = socket.socket()
    raw.settimeout(120)
    raw.bind((address, 0))
    raw.connect(("127.0.0.1", gateway.port))
    connection = context.wrap_socket(raw, server_hostname="localhost")
    assert connection.recv(4096).startswith(b"220 ")
    return connection


def hold(gateway, pki, n, address, slow):
    """In a child: N connections until it is killed. The pipe says when they are there."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    try:
        context = pki.client_context()
        held = [connect(gateway, context, address) for _ in range(n)]
        for connection in held if not slow else []:
            connection.sendall(EHLO)
            assert connection.recv(4096).startswith(b"250-")
        os.write(write, b"!")
        while True:
            time.sleep(1)
            for connection in held if slow else []:
                connection.sendall(b"N")
    finally:
        os._exit(1)


def start_clients(gateway, pki, idle, slow):
    """Process ids, once all of them are connected."""
    shares = [(min(PER_PROCESS, idle - at), False) for at in range(0, idle, PER_PROCESS)] + ([(slow, True)] if slow else [])
    children = [hold(gateway, pki, n, f"127.0.1.{i + 1}", is_slow) for i, (n, is_slow) in enumerate(shares)]
    for _, pipe in children:
        select.select([pipe], [], [], 1800)
        assert os.read(pipe, 1) == b"!", "a process of clients has failed"
    return [pid for pid, _ in children]


def memory(pid):
    """Private and proportional memory in KiB."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        fields = {line.split()[0]: line.split()[1] for line in rollup if line.split()[0] in ("Pss:", "Rss:")}
    return int(fields["Pss:"]), int(fields["Rss:"])


def times_to_250(gateway, n):
    """Milliseconds, sorted."""
    found = []
    with gateway.connect() as client:
        client.ready(gateway)
        for _ in range(n):
            client.envelope(USER, ["bob@example.com"])
            message = smtp.dot_stuff(mail("bob@example.com", "x" * 70 + "\r\n" * 100))
            begin = time.monotonic()
            client.send(message)
            assert client.reply().code == 250
            found.append((time.monotonic() - begin) * 1000)
    return sorted(found)


def row(name, times, kib):
    print(f"| {name} | {statistics.median(times):.1f} | {times[int(len(times) * 0.99) - 1]:.1f} | {kib / 1024:.1f} |", flush=True)


def measure(gateway, pki, arguments):
    pid = gateway.pids("submission")[0]
    times_to_250(gateway, 20)
    before, _ = memory(pid)
    print("| connections beside | p50 ms | p99 ms | submission process, MiB |\n|---|---|---|---|")
    row("none", times_to_250(gateway, arguments.messages), before)
    clients = start_clients(gateway, pki, arguments.idle, 0)
    with_idle, _ = memory(pid)
    row(f"{arguments.idle} idle", times_to_250(gateway, arguments.messages), with_idle)
    clients += start_clients(gateway, pki, 0, arguments.slow)
    row(f"{arguments.idle} idle, {arguments.slow} slow", times_to_250(gateway, arguments.messages), memory(pid)[0])
    for client in clients:
        os.kill(client, signal.SIGKILL)
        os.waitpid(client, 0)
    print(f"\n{(with_idle - before) / max(arguments.idle, 1):.1f} KiB per idle connection; load average {os.getloadavg()[0]:.1f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=200)
    arguments = parser.parse_args()
    most = arguments.idle + arguments.slow + 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, 4096), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    folder = short_folder()
    (folder / "pki").mkdir()
    pki = Pki(folder / "pki")
    sink = Sink(tls=server_context(*pki.next_hop))
    gateway = Gateway(pki, sink.route, "rule default { protect = never }", {
        "limits": {"sessions": most, "sessions-per-client": most, "before-auth": "1h", "command": "1h", "transactions": 100000}})
    gateway.write_conf(gateway.text().replace('log-level = "debug"', 'log-level = "notice"'))
    try:
        gateway.start()
        measure(gateway, pki, arguments)
    finally:
        gateway.close()
        sink.stop()
        remove_folder(folder)


if __name__ == "__main__":
    main()
