"""Further real mail servers as next hops, unpacked beside what is installed: OpenSMTPD and chasquid."""

from peers import Maildir, Server, unpack
from tools import free_port, short_folder


class OpenSmtpd(Server):
    """
    clear_port. Needs root: its paths and users are built in, so it runs in a mount namespace that has them. It has no port
    with STARTTLS: built against OpenSSL 3, Debian 12's 6.8.0 fails every handshake ("missing private key").
    """

    def __init__(self):
        self.program = unpack("opensmtpd", "usr/sbin/smtpd")
        self.folder = short_folder()
        self.folder.chmod(0o755)
        self.clear_port = free_port()
        self.maildir = Maildir(self.folder / "mail")
        self.maildir.folder.chmod(0o777)
        self._configure()
        self._run(["unshare", "-m", "sh", self.folder / "run.sh"], [self.clear_port], "OpenSMTPD")

    def _configure(self):
        (self.folder / "smtpd.conf").write_text(f"""
table all {{ "@" = "nobody" }}
listen on 127.0.0.1 port {self.clear_port} hostname mail.example.net
action "store" maildir "{self.maildir.folder}/box" virtual <all>
match from any for any action "store"
""")
        for name, line in (("passwd", "{0}:x:{1}:{1}::/var/lib/opensmtpd/empty:/bin/false\n"), ("group", "{0}:x:{1}:\n")):
            with open(f"/etc/{name}", encoding="utf-8") as real:
                text = real.read()
            text += "".join(line.format(*user) for user in (("opensmtpd", 64990), ("opensmtpq", 64991)))
            (self.folder / name).write_text(text)
        helpers = self.program.parents[1] / "libexec/opensmtpd"
        (self.folder / "run.sh").write_text(f"""
set -e
mount --make-rprivate /
mount --bind {self.folder}/passwd /etc/passwd
mount --bind {self.folder}/group /etc/group
for folder in /run /var/spool /var/lib /usr/libexec; do mount -t tmpfs none $folder; done
mkdir -p /usr/libexec/opensmtpd /var/spool/smtpd /var/lib/opensmtpd/empty
chmod 711 /var/spool/smtpd
cp {helpers}/* /usr/libexec/opensmtpd/
exec {self.program} -d -f {self.folder}/smtpd.conf
""")


class Chasquid(Server):
    """port offers STARTTLS. Takes mail for USERS at example.com and stores it; runs as whoever started it."""

    def __init__(self, pki, users):
        self.program = unpack("chasquid", "usr/bin/chasquid")
        self.folder = short_folder()
        self.port = free_port()
        self.maildir = Maildir(self.folder / "mail")
        self._configure(pki, users)
        self._run([self.program, "-config_dir", self.folder], [self.port], "chasquid")

    def _configure(self, pki, users):
        certificates = self.folder / "certs/mail.example.net"
        domain = self.folder / "domains/example.com"
        for folder in (certificates, domain, self.folder / "data", self.maildir.folder / "new"):
            folder.mkdir(parents=True)
        certificate, key = pki.next_hop
        (certificates / "fullchain.pem").write_bytes(certificate.read_bytes())
        (certificates / "privkey.pem").write_bytes(key.read_bytes())
        store = self.folder / "store"
        store.write_text(f"#!/bin/sh\ncat > {self.folder}/$$ && mv {self.folder}/$$ {self.maildir.folder}/new/$$\n")
        store.chmod(0o755)
        (domain / "aliases").write_text("".join(f"{user}: | {store}\n" for user in users))
        (self.folder / "chasquid.conf").write_text(f"""
hostname: "mail.example.net"
smtp_address: "127.0.0.1:{self.port}"
submission_address: "127.0.0.1:{free_port()}"
submission_over_tls_address: "127.0.0.1:{free_port()}"
monitoring_address: ""
mail_delivery_agent_bin: "/bin/false"
data_dir: "{self.folder}/data"
mail_log_path: "<stdout>"
suffix_separators: "+"
""")
