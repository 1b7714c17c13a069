"""A real LDAP directory, slapd, run from a private folder."""

import shutil
import subprocess

from tools import end_process, free_port, remove_folder, run, short_folder, wait_until

SUFFIX = "dc=example,dc=org"
PEOPLE = f"ou=people,{SUFFIX}"
READER, READER_PASSWORD = f"cn=reader,{SUFFIX}", "reader's secret"


def program(name="slapd"):
    """It is in a folder that is not on everybody's path."""
    return shutil.which(name) or f"/usr/sbin/{name}"


def entry(dn, **attributes):
    """LDIF; a value may be a list."""
    lines = [f"dn: {dn}"]
    for name, values in attributes.items():
        lines += [f"{name}: {value}" for value in ([values] if isinstance(values, str) else values)]
    return "\n".join(lines) + "\n\n"


def person(uid, password, mail=(), **more):
    return entry(f"uid={uid},{PEOPLE}", objectClass="inetOrgPerson", uid=uid, cn=uid, sn=uid, mail=list(mail),
                 userPassword=password, **more)


class Slapd:
    """
    people: LDIF of persons below ou=people. certificate: (certificate, key). Runs on 127.0.0.1 as whoever started
    it, with TLS (ldaps_url) and StartTLS (ldap_url). Who is not bound sees nothing; READER and each person see all.
    """

    def __init__(self, people, certificate):
        self.folder = short_folder()
        self.port, self.tls_port = free_port(), free_port()
        self.ldap_url, self.ldaps_url = f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{self.tls_port}"
        self.process = None
        try:
            self.configure(*certificate)
            self._fill(people)
            self.start()
        except BaseException:
            self.close()
            raise

    def configure(self, certificate, key):
        """Counts from the next start."""
        self.conf = self.folder / "slapd.conf"
        self.conf.write_text(f"""
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {self.folder}/pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{READER}" read by users read by * none
database mdb
suffix "{SUFFIX}"
rootdn "cn=admin,{SUFFIX}"
directory {self.folder}/db
""")

    def _fill(self, people):
        (self.folder / "db").mkdir()
        text = entry(SUFFIX, objectClass=["dcObject", "organization"], dc="example", o="Example")
        text += entry(PEOPLE, objectClass="organizationalUnit", ou="people")
        text += entry(READER, objectClass=["organizationalRole", "simpleSecurityObject"], cn="reader",
                      userPassword=READER_PASSWORD)
        run(program("slapadd"), "-q", "-f", self.conf, input=text + people)

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [program(), "-d", "stats", "-f", self.conf, "-h", f"{self.ldap_url} {self.ldaps_url}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        wait_until(self._answers_or_ended, lambda: f"slapd answers\n{self.log}")

    def _answers_or_ended(self):
        assert self.process.poll() is None, f"slapd ended with {self.process.returncode}\n{self.log}"
        return run("ldapwhoami", "-x", "-H", self.ldap_url, check=False).returncode == 0

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
