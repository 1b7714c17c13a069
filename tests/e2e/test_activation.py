"""Ports that systemd has opened (sd_listen_fds(3)), passed on by its own systemd-socket-activate."""

import os
import re
import shutil
import socket

from gateway import USER, mail
from tools import free_port, wait_until

import pytest

CONFIG_ERROR = 78
NOWHERE = "[127.0.0.1]:9"


@pytest.fixture
def activated(make_gateway):
    """activated(address, …): a gateway to be launched with these ports; those of the configuration when none is given.
    It is started by the first connection."""
    if not shutil.which("systemd-socket-activate"):
        pytest.skip("systemd-socket-activate is not installed")

    def make(*addresses, route=NOWHERE):
        gateway = make_gateway(route, start=False)
        addresses = addresses or (f"127.0.0.1:{gateway.port}", f"127.0.0.1:{gateway.starttls_port}")
        gateway.launcher = ["systemd-socket-activate", "--fdname=" + ":".join(f"door{i}" for i in range(len(addresses))),
                            *(f"--listen={address}" for address in addresses),
                            *(f"--setenv={name}={value}" for name, value in gateway.environment.items() if "ASAN" in name)]
        return gateway

    return make


def knock(port):
    """Makes systemd-socket-activate start the program."""
    def connects():
        try:
            return socket.create_connection(("127.0.0.1", port), 10)
        except OSError:
            return None
    wait_until(connects, "a port is open").close()


def sockets_of(pid):
    """The inodes of the sockets that a process has open."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        found |= set(re.findall(r"socket:\[(\d+)\]", target))
    return found


def listening(port):
    """The inode of what listens on a port of ours."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    return [row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"]


def test_passed_sockets_are_taken_and_stay_over_a_reload(activated, make_sink, people, tag):
    sink = make_sink()
    gateway = activated(route=sink.route)
    gateway.start()
    gateway.add_keys(people.bob)
    ports = gateway.port, gateway.starttls_port
    before = [listening(port) for port in ports]
    assert all(len(inodes) == 1 and inodes[0] in sockets_of(gateway.process.pid) for inodes in before)
    assert "LISTEN_FDS" not in open(f"/proc/{gateway.pids('submission')[0]}/environ", encoding="ascii").read()
    old = gateway.pids("submission")
    gateway.reload()
    wait_until(lambda: gateway.listens() and not any(os.path.exists(f"/proc/{pid}") for pid in old), "the old ones are gone")
    assert [listening(port) for port in ports] == before
    address = people.bob.tagged(tag)
    wait_until(lambda: gateway.submit([address], mail(address)).code == 250, "mail is taken")
    sink.wait(address)
    with gateway.connect("starttls") as client:
        client.ready(gateway)
        assert client.command(f"MAIL FROM:<{USER}>").code == 250


def test_a_port_may_be_opened_here_beside_passed_ones(activated):
    gateway = activated()
    extra = free_port()
    gateway.extra = f'listen "127.0.0.1:{extra}" {{ tls = starttls }}\n'
    gateway.write_conf()
    gateway.start()
    with socket.create_connection(("127.0.0.1", extra), 10) as client:
        assert client.recv(100).startswith(b"220 ")


def test_a_passed_socket_that_nobody_wants_is_named(activated):
    stray = free_port()
    gateway = activated(f"127.0.0.1:{stray}")
    gateway.launch()
    knock(stray)
    assert gateway.process.wait(30) == CONFIG_ERROR
    assert "door0" in gateway.log and f"127.0.0.1:{stray}" in gateway.log


def test_a_reload_that_leaves_a_passed_socket_out_is_refused(activated):
    gateway = activated()
    gateway.start()
    gateway.write_conf(gateway.text().replace(f'listen "127.0.0.1:{gateway.starttls_port}"', f'listen "127.0.0.1:{free_port()}"'))
    gateway.reload()
    gateway.wait_log("event=reload-refused")
    gateway.write_conf()
    assert f"127.0.0.1:{gateway.starttls_port}, for which there is no listen section" in gateway.log
    assert gateway.listens()


def test_what_is_no_listening_socket_is_refused(activated):
    gateway = activated(str(free_port()))
    path = gateway.folder / "door"
    gateway.launcher = ["systemd-socket-activate", "--fdname=odd", f"--listen={path}"]
    gateway.launch()

    def knocks():
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path))
                return True
            except OSError:
                return False

    wait_until(knocks, "its socket is there")
    assert gateway.process.wait(30) == CONFIG_ERROR
    assert "odd" in gateway.log and "no listening TCP socket" in gateway.log
