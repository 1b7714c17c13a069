"""What sealctl tells mail programs is well-formed in each format, and a client that does as told can log in."""

import pathlib
import plistlib
import smtplib
import uuid
import xml.etree.ElementTree as ElementTree

from gateway import PASSWORD, USER, Gateway
from tools import run

import pytest

SCHEMAS = pathlib.Path(__file__).resolve().parents[1] / "lib" / "schemas"
SETTINGS = {"autoconfig": {"host": "localhost", "name": "Example & <Söhne>", "incoming": "imaps://imap.example.org"}}
OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
DATA, CANNOT_CREATE, CONFIG, USAGE = 65, 73, 78, 64


@pytest.fixture(scope="module")
def told(pki, sink):
    with Gateway(pki, sink.route, settings=SETTINGS) as gateway:
        yield gateway


def validated(schema, text, folder):
    """The document as a tree, after xmllint found it to be what SCHEMA says."""
    path = folder / "document.xml"
    path.write_bytes(text)
    run("xmllint", "--noout", "--nonet", "--relaxng", SCHEMAS / schema, path)
    return ElementTree.fromstring(text)


def log_in(pki, host, port, socket_type, user):
    """As a mail program would with these settings."""
    context = pki.client_context()
    if socket_type == "SSL":
        client = smtplib.SMTP_SSL(host, int(port), context=context, timeout=60)
    else:
        client = smtplib.SMTP(host, int(port), timeout=60)
        client.starttls(context=context)
    with client:
        assert client.login(user, PASSWORD)[0] == 235


def test_thunderbird(told, pki, tmp_path):
    result = told.ctl("autoconfig", "thunderbird", USER)
    assert result.stderr == b""
    provider = validated("config-v1.1.rng", result.stdout, tmp_path).find("emailProvider")
    assert provider.findtext("domain") == "example.org" and provider.findtext("displayName") == "Example & <Söhne>"
    incoming = {e.tag: e.text for e in provider.find("incomingServer")}
    assert incoming == {"hostname": "imap.example.org", "port": "993", "socketType": "SSL", "username": USER,
                        "authentication": "password-cleartext"}
    outgoing = [{e.tag: e.text for e in server} for server in provider.findall("outgoingServer")]
    assert [(o["socketType"], o["port"]) for o in outgoing] == [("SSL", str(told.port)),
                                                                ("STARTTLS", str(told.starttls_port))]
    for o in outgoing:
        log_in(pki, o["hostname"], o["port"], o["socketType"], o["username"])


def test_outlook(told, pki, tmp_path):
    root = validated("autodiscover.rng", told.ctl("autoconfig", "outlook", USER).stdout, tmp_path)
    protocols = [{e.tag.removeprefix(OUTLOOK): e.text for e in p} for p in root.iter(OUTLOOK + "Protocol")]
    assert [p["Type"] for p in protocols] == ["IMAP", "SMTP"]
    smtp = protocols[1]
    assert smtp["Encryption"] == "SSL" and smtp["AuthRequired"] == "on" and smtp["SPA"] == "off"
    log_in(pki, smtp["Server"], smtp["Port"], smtp["Encryption"], smtp["LoginName"])


def test_apple(told, pki, tmp_path):
    text = told.ctl("autoconfig", "apple", USER).stdout
    profile = plistlib.loads(text)
    assert text == told.ctl("autoconfig", "apple", USER).stdout, "a second profile would not replace the first"
    mail, = profile["PayloadContent"]
    assert (profile["PayloadType"], mail["PayloadType"]) == ("Configuration", "com.apple.mail.managed")
    for payload in (profile, mail):
        assert payload["PayloadVersion"] == 1 and payload["PayloadIdentifier"] and payload["PayloadDisplayName"]
        assert uuid.UUID(payload["PayloadUUID"]).version == 5
    assert profile["PayloadUUID"] != mail["PayloadUUID"]
    assert mail["EmailAccountType"] == "EmailTypeIMAP" and mail["EmailAddress"] == USER
    assert (mail["IncomingMailServerHostName"], mail["IncomingMailServerPortNumber"]) == ("imap.example.org", 993)
    assert mail["IncomingMailServerUseSSL"] is True and mail["OutgoingMailServerUseSSL"] is True
    assert mail["OutgoingMailServerAuthentication"] == "EmailAuthPassword"
    log_in(pki, mail["OutgoingMailServerHostName"], mail["OutgoingMailServerPortNumber"], "SSL",
           mail["OutgoingMailServerUsername"])


def test_srv(told, pki):
    records = {}
    for line in told.ctl("autoconfig", "srv", USER).stdout.decode().splitlines():
        owner, klass, kind, priority, _weight, port, target = line.split()
        assert (klass, kind) == ("IN", "SRV") and owner.endswith("._tcp.example.org.") and target.endswith(".")
        records[owner.split(".")[0]] = int(priority), int(port), target.rstrip(".")
    assert records["_submissions"][0] < records["_submission"][0], "RFC 8314 prefers implicit TLS"
    assert records["_imaps"][1:] == (993, "imap.example.org") and len(records) == 3
    log_in(pki, records["_submissions"][2], records["_submissions"][1], "SSL", USER)
    log_in(pki, records["_submission"][2], records["_submission"][1], "STARTTLS", USER)


def test_only_starttls_is_offered_where_nothing_else_listens(make_gateway, sink, pki, tmp_path):
    gateway = make_gateway(sink.route, start=False, settings=SETTINGS)
    gateway.write_conf("\n".join(line for line in gateway.text().splitlines() if "tls = implicit" not in line) + "\n")
    root = validated("autodiscover.rng", gateway.ctl("autoconfig", "outlook", USER).stdout, tmp_path)
    smtp = [{e.tag.removeprefix(OUTLOOK): e.text for e in p} for p in root.iter(OUTLOOK + "Protocol")][1]
    assert (smtp["Encryption"], smtp["Port"]) == ("TLS", str(gateway.starttls_port))
    assert b"_submissions" not in gateway.ctl("autoconfig", "srv", USER).stdout
    provider = validated("config-v1.1.rng", gateway.ctl("autoconfig", "thunderbird", USER).stdout, tmp_path)
    assert [e.text for e in provider.iter("socketType")] == ["SSL", "STARTTLS"]


@pytest.mark.parametrize("address", ["jörg&co@grüße.example", "o'neil@example.org", '"<a>&\'b"@example.org'])
def test_what_xml_means_is_escaped(told, tmp_path, address):
    root = validated("config-v1.1.rng", told.ctl("autoconfig", "thunderbird", address).stdout, tmp_path)
    assert {e.text for e in root.iter("username")} == {address}
    assert root.find("emailProvider").get("id") in ("xn--gre-6ka8l.example", "example.org")
    root = validated("autodiscover.rng", told.ctl("autoconfig", "outlook", address).stdout, tmp_path)
    assert {e.text for e in root.iter(OUTLOOK + "LoginName")} == {address}
    mail, = plistlib.loads(told.ctl("autoconfig", "apple", address).stdout)["PayloadContent"]
    assert mail["EmailAddress"] == mail["OutgoingMailServerUsername"] == address


@pytest.mark.parametrize("address", ["alice", "a\nb@example.org", "a@b\x1b[2J.example", "../../x@../y", "a@[127.0.0.1]",
                                     "a%b@example.org", "a@example.org/..", "\udcff@example.org"])
def test_a_hostile_address_is_refused(told, address):
    for kind in ("thunderbird", "outlook", "apple", "srv"):
        result = told.ctl("autoconfig", kind, address, check=False)
        assert result.returncode == DATA and result.stdout == b"" and b"\x1b" not in result.stderr
        assert result.stderr.count(b"\n") == 1


def test_json_holds_the_same_document(told):
    for kind in ("thunderbird", "outlook", "apple", "srv"):
        answer = told.json("autoconfig", kind, USER)
        assert answer["ok"] and answer["format"] == kind
        assert answer["text"].encode() == told.ctl("autoconfig", kind, USER).stdout


def test_without_an_incoming_server_it_says_what_is_missing(gateway):
    for kind in ("thunderbird", "outlook", "apple", "srv"):
        result = gateway.ctl("autoconfig", kind, USER)
        assert b"incoming" in result.stderr and b"imap" not in result.stdout.lower().replace(b"emailtypeimap", b"")
    assert b"IncomingMailServer" not in gateway.ctl("autoconfig", "apple", USER).stdout


def test_a_bad_configuration_is_named(make_gateway, sink):
    gateway = make_gateway(sink.route, start=False, settings={"autoconfig": {"incoming": "pop.example.org"}})
    result = gateway.ctl("autoconfig", "thunderbird", USER, check=False)
    assert result.returncode == CONFIG and b"pop.example.org" in result.stderr


def test_static_files(told, tmp_path):
    site = tmp_path / "www" / "site"
    files = [site / "autoconfig.example.org/mail/config-v1.1.xml",
             site / ".well-known/autoconfig/mail/config-v1.1.xml", site / "autodiscover/autodiscover.xml"]
    site.mkdir(parents=True)
    (site / "index.html").write_text("mine")
    files[2].parent.mkdir()
    files[2].write_text("old")
    printed = told.ctl("autoconfig", "static", "Example.org", site).stdout.decode().splitlines()
    assert printed == [str(f) for f in files]
    assert sorted(p for p in site.rglob("*") if p.is_file()) == sorted(files + [site / "index.html"])
    assert (site / "index.html").read_text() == "mine"
    assert files[0].read_bytes() == files[1].read_bytes()
    root = validated("config-v1.1.rng", files[0].read_bytes(), tmp_path)
    assert {e.text for e in root.iter("username")} == {"%EMAILADDRESS%"}
    root = validated("autodiscover.rng", files[2].read_bytes(), tmp_path)
    assert not list(root.iter(OUTLOOK + "LoginName"))
    assert {e.text for e in root.iter(OUTLOOK + "DomainName")} == {"example.org"}
    assert told.json("autoconfig", "static", "example.org", site) == {"ok": True, "files": [str(f) for f in files]}


def test_static_files_go_nowhere_else(told, tmp_path):
    for domain in ("../evil", "a/b", "..", "", "a@b"):
        assert told.ctl("autoconfig", "static", domain, tmp_path / "x", check=False).returncode == DATA
    assert not (tmp_path / "x").exists()
    (tmp_path / "file").write_text("")
    assert told.ctl("autoconfig", "static", "a.example", tmp_path / "file", check=False).returncode == CANNOT_CREATE
    assert told.ctl("autoconfig", "static", "a.example", "", check=False).returncode == USAGE
    assert told.ctl("autoconfig", "static", "a.example", check=False).returncode == USAGE
    assert told.ctl("autoconfig", "thunderbird", check=False).returncode == USAGE
