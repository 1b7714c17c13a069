"""The example configuration starts, but for the paths and ports of this machine."""

import re

from gateway import Gateway, mail
from tools import ROOT

import readers


def test_example_configuration_starts_and_sends(pki, people, sink, tag):
    gateway = Gateway(pki, sink.route)
    try:
        text = (ROOT / "conf/sealgate.conf").read_text()
        replaced = {
            '"/var/lib/sealgate"': f'"{gateway.state_dir}"',
            '"/run/sealgate/control.sock"': f'"{gateway.folder}/control.sock"',
            '"/etc/sealgate/tls.pem"': f'"{gateway.certificate}"',
            '"/etc/sealgate/tls.key"': f'"{gateway.key}"',
            '"/etc/sealgate/users"': f'"{gateway.users}"',
            '"[::]:465"': f'"127.0.0.1:{gateway.port}"',
            '"[::]:587"': f'"127.0.0.1:{gateway.starttls_port}"',
            "route = mx": f'route = "{sink.route}"',
        }
        for old, new in replaced.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        # What is left of the system are names and comments, not paths.
        in_force = re.sub(r"(?m)^#.*$", "", text)
        assert not re.search(r'"/(etc|var|run)/', in_force)
        gateway.write_conf(text)
        gateway.start()
        gateway.add_keys(people.bob)
        gateway.submit([people.bob.tagged(tag)], mail(people.bob.tagged(tag), subject="[confidential]"))
        assert readers.is_sealed(sink.wait(people.bob.tagged(tag)).data)
    finally:
        gateway.close()
