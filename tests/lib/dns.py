"""A real authoritative DNS server, nsd, run from a private folder."""

import pathlib
import shutil
import socket
import subprocess

from tools import end_process, free_port, remove_folder, run, short_folder, wait_until

# A query for the SOA of the root: whatever is answered, the server is there.
QUERY = bytes.fromhex("2a2a 0000 0001 0000 0000 0000 00 0006 0001")


def program():
    """It is in a folder that is not on everybody's path."""
    return shutil.which("nsd") or "/usr/sbin/nsd"


class Nsd:
    """zones: {"example": records}; None instead of the records: the server answers SERVFAIL for the zone. Runs on
    127.0.0.1 as whoever started it. The records stand behind the zone's SOA and NS, names relative to the zone."""

    def __init__(self, zones):
        self.folder = short_folder()
        self.port = free_port()
        self.process = None
        try:
            self.configure(zones)
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def address(self):
        """As libunbound writes it."""
        return f"127.0.0.1@{self.port}"

    def configure(self, zones):
        """Counts from the next start."""
        self.conf = self.folder / "nsd.conf"
        text = f"""
server:
  ip-address: {self.address}
  server-count: 1
  username: ""
  zonesdir: "{self.folder}"
  database: ""
  pidfile: ""
  logfile: "{self.folder}/log"
  zonelistfile: "{self.folder}/zone.list"
  xfrdfile: "{self.folder}/xfrd.state"
  xfrdir: "{self.folder}"
remote-control:
  control-enable: no
"""
        for name, records in zones.items():
            text += f'zone:\n  name: "{name}"\n  zonefile: "{name}.zone"\n'
            if records is not None:
                self.write_zone(name, records)
        self.conf.write_text(text)
        checked = pathlib.Path(program()).with_name("nsd-checkconf")
        run(checked, self.conf)

    def write_zone(self, name, records):
        head = f"$ORIGIN {name.rstrip('.')}.\n$TTL 3600\n@ SOA ns hostmaster 1 3600 600 86400 3600\n@ NS ns\nns A 127.0.0.1\n"
        path = self.folder / f"{name}.zone"
        path.write_text(head + records)
        run(pathlib.Path(program()).with_name("nsd-checkzone"), name, path)

    def start(self):
        self.process = subprocess.Popen([program(), "-d", "-c", self.conf], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        wait_until(self._answers_or_ended, lambda: f"nsd answers\n{self.log}")

    def _answers_or_ended(self):
        assert self.process.poll() is None, f"nsd ended with {self.process.returncode}\n{self.log}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            s.connect(("127.0.0.1", self.port))
            try:
                s.send(QUERY)
                return s.recv(512)[:2] == QUERY[:2]
            except OSError:
                return False

    @property
    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self):
        if self.process:
            end_process(self.process)

    def close(self):
        self.stop()
        remove_folder(self.folder)


class SignedNsd(Nsd):
    """The same with DNSSEC: a signed root above all ZONES, and in each zone the delegations to those below it. unsigned:
    names of zones that are delegated without DS and not signed; expired: of zones whose signatures are over (bogus).
    anchor: file with the root's key."""

    def __init__(self, zones, unsigned=(), expired=()):
        self.unsigned, self.expired = set(unsigned), set(expired)
        self._keys = {}  # base names of their files
        super().__init__(zones)

    def configure(self, zones):
        zones = {**zones, ".": ""}
        # A zone is signed after those below it, whose keys it vouches for.
        for name in sorted(zones, key=lambda name: (name != ".", name.count(".")), reverse=True):
            if name == ".":
                self.anchor = self._make_key(name, ".key")
                self.anchor.chmod(0o644)
                continue
            parent = next((over for over in _above(name) if over in zones), ".")
            inside = name if parent == "." else name.removesuffix("." + parent)
            zones[parent] += f"{inside} NS ns.{name}.\nns.{name}. A 127.0.0.1\n"
            if name not in self.unsigned:
                zones[parent] += self._make_key(name, ".ds").read_text()
        super().configure(zones)

    def _make_key(self, name, suffix):
        """A file of the zone's one key, which is made here."""
        made = run("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", "-r", "/dev/urandom", name, cwd=self.folder)
        self._keys[name] = self.folder / made.stdout.decode().strip()
        return self._keys[name].with_name(self._keys[name].name + suffix)

    def write_zone(self, name, records):
        super().write_zone(name, records)
        if name in self.unsigned:
            return
        path = self.folder / f"{name}.zone"
        over = ("-i", "20200101000000", "-e", "20200201000000") if name in self.expired else ()
        run("ldns-signzone", *over, "-f", path, path, self._keys[name])


def _above(name):
    """The domains above NAME, nearest first."""
    labels = name.split(".")
    return [".".join(labels[i:]) for i in range(1, len(labels))]
