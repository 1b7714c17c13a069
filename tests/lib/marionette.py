"""Marionette, the remote control in Mozilla's programs: privileged JavaScript runs in the program's own window."""

import json
import socket

from tools import wait_until

PROMISE = "const resolve = arguments[arguments.length - 1]; (async (...args) => {%s})(...arguments).then(" \
          "value => resolve({value}), error => resolve({error: `${error} ${error.stack}`}));"


class Marionette:
    """Once somebody listens at PORT of this machine."""

    def __init__(self, port, alive, timeout=120):
        def connect():
            assert alive(), "it ended"
            try:
                return socket.create_connection(("127.0.0.1", port), 5)
            except OSError:
                return None
        self.socket = wait_until(connect, "Marionette listens", timeout)
        self.socket.settimeout(timeout)
        self.file = self.socket.makefile("rb")
        self.count = 0
        self.read()  # its greeting
        self.command("WebDriver:NewSession", capabilities={})
        self.command("Marionette:SetContext", value="chrome")

    def read(self):
        size = b""
        while (digit := self.file.read(1)) != b":":
            assert digit, "Marionette closed"
            size += digit
        return json.loads(self.file.read(int(size)))

    def command(self, name, **parameters):
        self.count += 1
        data = json.dumps([0, self.count, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(data), data))
        _, _, error, result = self.read()
        assert not error, f"{name}: {error}"
        return result

    def run(self, script, *arguments):
        """The value that SCRIPT, the body of an async function, returns; its arguments are args[0], args[1] …"""
        done = self.command("WebDriver:ExecuteAsyncScript", script=PROMISE % script, args=list(arguments), newSandbox=False,
                            scriptTimeout=60000)["value"]
        assert "error" not in done, done["error"]
        return done.get("value")

    def close(self):
        self.file.close()
        self.socket.close()
