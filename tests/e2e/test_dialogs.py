"""Each tests/dialog/*.dialog, line by line, against the whole gateway."""

import dialog
from tools import ROOT

import pytest


@pytest.mark.parametrize("script", sorted((ROOT / "tests/dialog").glob("*.dialog")), ids=lambda path: path.stem)
def test_dialog(gateway, people, script):
    values = dialog.variables(gateway.user, gateway.password, RECIPIENT=people.bob.address)
    ports = {"tls": gateway.port, "starttls": gateway.starttls_port}
    dialog.Dialog(script, values).play("127.0.0.1", ports)
