"""Real mail servers as next hops, run from private folders: Postfix as installed, Exim unpacked beside it."""

import os
import pwd
import smtplib
import subprocess

from tools import AS_ROOT, BUILD, end_process, free_port, remove_folder, run, short_folder, wait_until

NOBODY = 65534


class Maildir:
    """Messages as the servers stored them."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def wait(self, wanted, timeout=30):
        """The first message that holds the text WANTED, or for which the function WANTED is true; with CRLF line ends
        as it was on the wire."""
        test = wanted if callable(wanted) else lambda message: wanted.encode() in message
        return wait_until(lambda: self._find(test), f"a message with {wanted!r} at the next hop", timeout)

    def _find(self, test):
        for path in sorted(self.folder.glob("**/new/*")):
            message = path.read_bytes()
            if test(message):
                return message.replace(b"\n", b"\r\n")
        return None


def answers(port):
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=5):
            return True
    except (OSError, smtplib.SMTPException):
        return False


class Postfix:
    """port offers STARTTLS, clear_port does not. Needs root, as Postfix does. more: lines for main.cf. services: {name:
    options}, each a further port with STARTTLS, ports[name]."""

    def __init__(self, pki, more="", services=None):
        self.folder = short_folder()
        self.more, self.services = more, services or {}
        self.ports = {name: free_port() for name in self.services}
        self.folder.chmod(0o755)
        self.port, self.clear_port = free_port(), free_port()
        self.maildir = Maildir(self.folder / "mail")
        os.chown(self.maildir.folder, NOBODY, NOBODY)
        self._configure(pki)
        try:
            run("postfix", "-c", self.folder / "conf", "start")
            wait_until(lambda: answers(self.port) and answers(self.clear_port), "Postfix answers")
        except AssertionError as e:
            log = self.log
            self.close()
            raise AssertionError(f"{e}\n{log}") from e

    def _configure(self, pki):
        conf, queue, data = (self.folder / name for name in ("conf", "queue", "data"))
        for folder in (conf, queue, data):
            folder.mkdir()
        certificate, key = pki.next_hop
        self.log_path = self.folder / "log"
        (conf / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
maillog_file = {self.log_path}
maillog_file_prefixes = {self.folder}
inet_interfaces = 127.0.0.1
myhostname = mail.example.net
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_chain_files = {key}, {certificate}
smtpd_tls_received_header = yes
message_size_limit = 100000000
virtual_transport = virtual
virtual_mailbox_limit = 0
virtual_mailbox_base = {self.maildir.folder}
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{NOBODY}
virtual_gid_maps = static:{NOBODY}
alias_maps =
local_recipient_maps =
{self.more}
""")
        further = "".join(f"127.0.0.1:{self.ports[name]} inet n - n - - smtpd -o smtpd_tls_security_level=may {options}\n"
                          for name, options in self.services.items())
        (conf / "master.cf").write_text(f"""{further}
127.0.0.1:{self.port} inet n - n - - smtpd -o smtpd_tls_security_level=may
127.0.0.1:{self.clear_port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
""")
        os.chown(data, pwd.getpwnam("postfix").pw_uid, -1)

    @property
    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def close(self):
        run("postfix", "-c", self.folder / "conf", "stop", check=False)
        remove_folder(self.folder)


def unpack(package, program):
    """A program of a package that would push Postfix out: it is only unpacked, into the build folder."""
    folder = (BUILD / package).resolve()
    path = folder / program
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run("apt-get", "download", package, cwd=folder, timeout=120)
        run("dpkg", "-x", next(folder.glob(f"{package}_*.deb")), folder)
    return path


def unpack_exim():
    program = unpack("exim4-daemon-light", "usr/sbin/exim4")
    # It runs as an ordinary user here; with its setuid bit it would refuse the library that names that user.
    program.chmod(0o755)
    return program


class Server:
    """Runs a program in the foreground; its folder goes when it is closed. Whoever derives from it sets folder."""

    def _run(self, command, answering, name, **options):
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options)
        try:
            wait_until(lambda: all(answers(port) for port in answering), f"{name} answers")
        except AssertionError as e:
            log = self.log
            self.close()
            raise AssertionError(f"{e}\n{log}") from e

    @property
    def log(self):
        return (self.folder / "output").read_text(errors="replace")

    def close(self):
        end_process(self.process)
        remove_folder(self.folder)


class Exim(Server):
    """port offers STARTTLS, clear_port does not. Runs as an ordinary user. certificates: {name: (certificate, key)}, each
    a further port with STARTTLS, ports[name]."""

    def __init__(self, pki, certificates=None):
        self.certificates = certificates or {}
        self.ports = {name: free_port() for name in self.certificates}
        self.folder = short_folder()
        self.folder.chmod(0o755)
        self.port, self.clear_port = free_port(), free_port()
        self.uid = NOBODY if AS_ROOT else os.getuid()
        self.maildir = Maildir(self.folder / "mail")
        self._configure(pki, unpack_exim())
        self._start()

    def _configure(self, pki, program):
        pairs = {self.port: pki.next_hop, self.clear_port: pki.next_hop}
        pairs.update({self.ports[name]: pair for name, pair in self.certificates.items()})
        for port, (certificate, key) in pairs.items():
            (self.folder / f"tls-{port}.pem").write_bytes(certificate.read_bytes())
            (self.folder / f"tls-{port}.key").write_bytes(key.read_bytes())
        # As root the program is copied, for others may not be allowed into the build folder.
        self.program = self.folder / "exim4"
        self.program.write_bytes(program.read_bytes())
        self.program.chmod(0o755)
        for name in ("spool", "log"):
            (self.folder / name).mkdir()
        (self.folder / "exim.conf").write_text(f"""
primary_hostname = mail.example.net
exim_path = {self.program}
spool_directory = {self.folder}/spool
log_file_path = {self.folder}/log/%slog
pid_file_path = {self.folder}/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {" : ".join(str(port) for port in pairs)}
tls_certificate = {self.folder}/tls-$received_port.pem
tls_privatekey = {self.folder}/tls-$received_port.key
tls_advertise_hosts = ${{if ={{$received_port}}{{{self.clear_port}}}{{}}{{*}}}}
deliver_drop_privilege = true
smtp_accept_queue_per_connection = 0
keep_environment = LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin routers
all:
  driver = accept
  transport = store
begin transports
store:
  driver = appendfile
  directory = {self.maildir.folder}/box
  maildir_format
  create_directory
begin retry
* * F,1h,1m
""")
        # Exim wants the user it was built for to exist.
        (self.folder / "passwd").write_text(f"Debian-exim:x:{self.uid}:{self.uid}::/:/bin/false\n")
        (self.folder / "group").write_text(f"Debian-exim:x:{self.uid}:\n")

    def _start(self):
        own = {}
        if AS_ROOT:
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, self.uid, self.uid)
            own = {"user": self.uid, "group": self.uid, "extra_groups": []}
        environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "LD_PRELOAD": "libnss_wrapper.so",
                       "NSS_WRAPPER_PASSWD": str(self.folder / "passwd"),
                       "NSS_WRAPPER_GROUP": str(self.folder / "group")}
        self._run([self.program, "-C", self.folder / "exim.conf", "-bdf", "-q1m"], [self.port, self.clear_port], "Exim",
                  env=environment, **own)

    @property
    def log(self):
        return "".join(p.read_text() for p in sorted((self.folder / "log").glob("*")))
