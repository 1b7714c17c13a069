"""What each process may do and hold, read from /proc."""

import os
import pathlib
import re

from conftest import run_gateway
from gateway import Gateway, service_user
from tools import AS_ROOT

import pytest

ROLES = ("submission", "auth", "passwords", "agent", "seal", "keys", "queue", "delivery", "control")
CHROOTED = {"submission": "empty", "queue": "queue", "control": "empty"}
FOLDERS = {"submission": "empty", "auth": "auth", "passwords": "empty", "agent": "empty", "seal": "seal", "keys": "keys", "queue": "queue",
           "delivery": "delivery", "control": "empty"}

SIGNING = f'signing "*" {{ openpgp = {"0123456789" * 4} }}'  # so that an agent runs; nothing is signed


@pytest.fixture(scope="module")
def gateway(pki, sink, people):
    yield from run_gateway(Gateway(pki, sink.route, extra=SIGNING), [people.bob])


only_root = pytest.mark.skipif(not AS_ROOT, reason="only root can look into processes that are not dumpable")


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return dict(re.findall(r"(\w+):[ \t]*(.*)", text))


@pytest.mark.parametrize("role", ROLES)
def test_rights(gateway, role):
    wanted = service_user().pw_uid if AS_ROOT else os.getuid()
    for pid in gateway.pids(role):
        said = status(pid)
        assert set(said["Uid"].split()) == {str(wanted)} and wanted != 0
        assert "0" not in said["Gid"].split() if AS_ROOT else True
        assert said["Groups"].split() in ([], [said["Gid"].split()[0]]) or not AS_ROOT
        assert said["NoNewPrivs"] == "1"
        if AS_ROOT:
            assert int(said["CapEff"], 16) == int(said["CapPrm"], 16) == 0


@pytest.mark.parametrize("role", ROLES)
def test_no_core_dumps_and_nobody_looks_in(gateway, role):
    for pid in gateway.pids(role):
        # The files of a process that is not dumpable belong to root, whoever it runs as (proc(5)).
        assert os.stat(f"/proc/{pid}/maps").st_uid == 0
        if AS_ROOT:
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
            assert re.search(r"Max core file size +0 +0 ", limits)


@only_root
@pytest.mark.parametrize("role", ROLES)
def test_where_it_lives(gateway, role):
    for pid in gateway.pids(role):
        root, folder = (pathlib.Path(os.readlink(f"/proc/{pid}/{name}")) for name in ("root", "cwd"))
        assert folder == gateway.state_dir / FOLDERS[role]
        assert root == (folder if role in CHROOTED else pathlib.Path("/"))


def descriptors(pid):
    """(number, what) of all but standard input, output, error."""
    folder = f"/proc/{pid}/fd"
    return [(int(n), os.readlink(f"{folder}/{n}")) for n in os.listdir(folder) if int(n) > 2]


def tcp_inodes():
    found = {}
    for name in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            found[f"socket:[{fields[9]}]"] = fields[3]
    return found


@only_root
@pytest.mark.parametrize("role", ROLES)
def test_no_stray_descriptors(gateway, role):
    network = tcp_inodes()
    files = {"queue": "queue.db", "keys": "keys.db", "auth": "guard.db"}
    for pid in gateway.pids(role):
        for number, what in descriptors(pid):
            if what.startswith("/") and not what.startswith(("/dev/urandom", "/dev/random", "/memfd:", "/dev/null")):
                assert role in files and files[role] in what, f"{role} holds {what} as {number}"
            if what in network:
                assert role in ("submission", "delivery"), f"{role} holds a network socket as {number}"


@only_root
def test_the_supervisor_holds_no_network_data(gateway):
    """Listening sockets only, to hand them on."""
    network = tcp_inodes()
    for _, what in descriptors(gateway.process.pid):
        assert network.get(what, "0A") == "0A"
        assert not what.endswith(".db")


def test_files_are_for_the_service_user_alone(gateway):
    account = service_user()
    for path in [gateway.state_dir, *gateway.state_dir.rglob("*")]:
        told = path.lstat()
        assert told.st_mode & 0o077 == 0, f"{path} {told.st_mode:o}"
        if account and path.name not in ("lock", "spool.key", "control.sock"):
            assert told.st_uid == account.pw_uid, str(path)
