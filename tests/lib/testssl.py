"""testssl.sh against a port of ours: its findings, by id."""

import json
import os
import subprocess

# Only what asks this machine: no DNS, no CRL and OCSP servers.
OPTIONS = ["--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none"]
PROGRAM = "testssl"


class Scan:
    """One run, in the background."""

    def __init__(self, folder, port, name, ca, starttls=False, options=()):
        self.json, self.output = folder / f"{port}.json", folder / f"{port}.txt"
        command = [PROGRAM, *OPTIONS, *options, "--jsonfile", self.json, "--add-ca", ca,
                   *(["-t", "smtp"] if starttls else []), "--ip", "127.0.0.1", f"{name}:{port}"]
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT, env={**os.environ, "MAX_OSSL_FAIL": "10"})

    def findings(self, timeout):
        """{id: (severity, finding)}; of several with one id, the last."""
        self.process.wait(timeout)
        assert self.json.exists(), self.output.read_text(errors="replace")
        return {f["id"]: (f["severity"], f["finding"]) for f in json.loads(self.json.read_text(errors="replace"))}

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
