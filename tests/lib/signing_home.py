"""The gateway's home for OpenPGP keys that it signs with."""

from gateway import SERVICE_USER
from tools import AS_ROOT, run, wait_until


def give_key(gateway, key):
    """As an administrator does: gpg --import in the signing home, as the service user, while the gateway runs."""
    who = {"user": SERVICE_USER, "group": SERVICE_USER, "extra_groups": []} if AS_ROOT else {}
    run("gpg", "--homedir", gateway.state_dir / "signing", "--batch", "--quiet", "--no-tty", "--import",
        input=key.read_bytes(), cwd="/", **who)


def wait_home(gateway, after=0):
    """Until the agent listens, to which an imported key goes, and every worker that started behind position AFTER of the log
    has asked for its keys: the first gpg of all makes the trust database, and another that comes then finds it damaged."""
    workers = gateway.settings["seal"]["workers"]
    wait_until(lambda: gateway.log[after:].count("role=seal level=info event=ready") >= workers, gateway.tail)
    wait_until(lambda: (gateway.state_dir / "signing" / "S.gpg-agent").exists(), gateway.tail)
