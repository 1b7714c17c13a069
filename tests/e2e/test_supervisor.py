"""The supervisor: what dies comes back, a reload never breaks what runs, an end loses nothing."""

import os
import re
import signal
import socket
import time

import readers
import smtp
from gateway import USER, mail
from tools import ROOT, SEALGATE, run, wait_until

import pytest

CONFIG_ERROR = 78


@pytest.mark.parametrize("role", ["submission", "auth", "passwords", "seal", "keys", "queue", "delivery", "control"])
def test_a_killed_role_comes_back_and_mail_flows(gateway, people, sink, tag, role):
    before = gateway.pids(role)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(gateway.pids_or_none(role) or []) - set(before)) == len(before), f"{role} is back")
    address = people.bob.tagged(tag)
    wait_until(lambda: gateway.listens() and gateway.submit([address], mail(address)).code == 250,
               "mail is taken again")
    assert readers.is_sealed(sink.wait(address).data)


def test_a_role_that_keeps_dying_is_not_started_in_a_spin(make_gateway):
    gateway = make_gateway("[127.0.0.1]:9", start=False, settings={"seal": {"workers": 1, "gpg": "/bin/false"}})
    gateway.start()
    time.sleep(2)  # what is counted is deaths per time
    assert gateway.log.count("event=died process=seal") < 15


def test_roles_die_with_their_supervisor(make_gateway):
    gateway = make_gateway("[127.0.0.1]:9")
    gateway.kill()  # waits until none is left
    gateway.start()


def test_a17_descriptors_for_all_sessions(make_gateway):
    """As many as the configured sessions need, as far as the hard limit goes; else it is said."""
    gateway = make_gateway("[127.0.0.1]:9", start=False, settings={"limits": {"sessions": 1000}})
    gateway.launcher = ["prlimit", "--nofile=256:4096"]
    gateway.start()

    def limit():
        with open(f"/proc/{gateway.pids('submission')[0]}/limits", encoding="ascii") as limits:
            return int(re.search(r"^Max open files +(\d+)", limits.read(), re.M).group(1))

    assert 3000 <= limit() < 4096 and "event=few-descriptors" not in gateway.log
    gateway.settings["limits"]["sessions"] = 5000
    gateway.write_conf()
    gateway.reload()
    gateway.wait_log("event=few-descriptors wanted=16000 limit=4096")
    wait_until(lambda: limit() == 4096, "what there is is taken")


# ---- reload ----


def test_bad_configuration_is_refused_and_the_old_one_stays(make_gateway, make_sink, people, tag):
    sink = make_sink()
    gateway = make_gateway(sink.route, people.bob)
    pids = gateway.pids("submission")
    gateway.write_conf(gateway.text().replace("hostname", "hosstname"))
    gateway.reload()
    gateway.wait_log("event=reload-refused")
    assert "event=configuration-problem" in gateway.log and "hosstname" in gateway.log
    gateway.write_conf()  # sealctl reads it too
    assert gateway.pids("submission") == pids
    gateway.submit([people.bob.tagged(tag)], mail(people.bob.tagged(tag)))
    sink.wait(people.bob.tagged(tag))


def test_good_configuration_takes_effect_and_sessions_go_on(make_gateway, make_sink, people, tag):
    sink = make_sink()
    gateway = make_gateway(sink.route, people.bob)
    with gateway.connect() as client:
        client.ready(gateway).envelope(USER, [people.bob.tagged(tag)])
        message = smtp.dot_stuff(mail(people.bob.tagged(tag)))
        client.send(message[:50])
        gateway.rules = "rule default { protect = prefer }"
        gateway.write_conf()
        gateway.reload()
        gateway.wait_log("event=reloaded")
        unknown = f"{tag}@example.com"
        wait_until(lambda: gateway.listens() and gateway.submit([unknown], mail(unknown)).code == 250,
                   "the new rules hold")
        client.send(message[50:])
        assert client.reply().code == 250, "a message in hand was dropped"
    sink.wait(people.bob.tagged(tag))
    assert not readers.is_sealed(sink.wait(unknown).data)


def test_doors_never_close_during_a_reload(make_gateway, make_sink):
    sink = make_sink()
    gateway = make_gateway(sink.route)
    before = gateway.pids("submission")
    gateway.reload()

    def reloaded():
        with socket.create_connection(("127.0.0.1", gateway.port), 5):  # never refused
            return "event=reloaded" in gateway.log and not any(os.path.exists(f"/proc/{pid}") for pid in before)

    wait_until(reloaded, "the old process is gone")
    assert gateway.listens()


# ---- end ----


def test_sigterm_lets_a_message_in_hand_end(make_gateway, make_sink, people, tag):
    sink = make_sink()
    gateway = make_gateway(sink.route, people.bob)
    with gateway.connect() as idle, gateway.connect() as client:
        idle.ready(gateway)
        client.ready(gateway).envelope(USER, [people.bob.tagged(tag)])
        message = smtp.dot_stuff(mail(people.bob.tagged(tag)))
        client.send(message[:50])
        gateway.process.send_signal(signal.SIGTERM)
        gateway.wait_log("event=stopping")
        assert idle.reply().code == 421
        client.send(message[50:])
        assert client.reply().code == 250
    assert gateway.process.wait(20) == 0
    assert not gateway.session_processes()
    gateway.start()  # had it not been delivered while draining, it is now
    sink.wait(people.bob.tagged(tag))


def test_second_gateway_on_the_same_state_refuses(make_gateway):
    first = make_gateway("[127.0.0.1]:9")
    second = make_gateway("[127.0.0.1]:9", start=False)
    second.state_dir = first.state_dir
    second.extra = f'control-socket = "{second.folder}/control.sock"\n'
    second.write_conf()
    second.launch()
    assert second.process.wait(20) == CONFIG_ERROR
    assert "another sealgate" in second.log and first.listens()


# ---- start ----

BAD = """hostname = "gateway.example.org"
state-dir = 7
listn = "x"
listen "nowhere" { tls = sometimes }
tls { certificate = "/nonexistent/tls.pem" key = "/nonexistent/tls.key" }
auth { users = "/nonexistent/users" wrokers = 2 }
queue { first-retry = 5parsecs }
rule "a" { protect = perhaps }
rule default { protect = require on-missing-key = refuse formats = {openpgp, rot13} }
limits { message = 1 recipients = 100000 }
"""


def test_bad_configuration_says_every_problem_with_its_line(make_gateway):
    gateway = make_gateway("[127.0.0.1]:9", start=False)
    gateway.write_conf(BAD)
    checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    said = checked.stderr.decode()
    assert checked.returncode == CONFIG_ERROR
    for line, word in ((3, "listn"), (4, "sometimes"), (6, "wrokers"), (7, "5parsecs"), (8, "perhaps"), (9, "rot13"),
                       (10, "message"), (10, "recipients")):
        assert re.search(rf"^{re.escape(str(gateway.conf))}:{line}: .*{word}", said, re.M), f"{line} {word}\n{said}"
    gateway.launch()
    assert gateway.process.wait(20) == CONFIG_ERROR


def test_what_the_grammar_cannot_know_is_found_too(make_gateway):
    gateway = make_gateway("[host:x", start=False)
    gateway.users.unlink()
    gateway.key.unlink()
    checked = run(SEALGATE, "-c", gateway.conf, "-n", check=False)
    said = checked.stderr.decode()
    assert checked.returncode == CONFIG_ERROR
    for word in (str(gateway.users), str(gateway.key), "[host:x"):
        assert word in said


def test_what_can_hardly_be_meant_is_noted(make_gateway):
    gateway = make_gateway("[127.0.0.1]:9", start=False, extra='client "scanner" { networks = {"192.0.2.0/24"} }')
    checked = run(SEALGATE, "-c", gateway.conf, "-n")
    notes = checked.stderr.decode().splitlines()
    assert len(notes) == 2 and all(note.startswith(f"{gateway.conf}: note: client scanner: ") for note in notes)
    assert checked.stdout.decode() == f"{gateway.conf}: good\n"


def test_the_example_configuration_is_understood():
    """Up to what it names not being installed here."""
    said = run(SEALGATE, "-c", ROOT / "conf/sealgate.conf", "-n", check=False).stderr.decode()
    assert not re.search(r"\.conf:\d", said), said
