"""The real HAProxy in front of both ports, in TCP mode, with PROXY protocol headers."""

import socket
import subprocess

from tools import end_process, free_port, remove_folder, short_folder, wait_until


class HAProxy:
    """send: "send-proxy-v2", "send-proxy" (version 1) or ""; health checks send LOCAL headers."""

    def __init__(self, gateway, send="send-proxy-v2", check=""):
        self.folder = short_folder()
        self.ports = {465: free_port(), 587: free_port()}
        ours = {465: gateway.port, 587: gateway.starttls_port}
        lines = ["global", "  log stdout format raw daemon", "defaults", "  mode tcp", "  timeout connect 10s",
                 "  timeout client 60s", "  timeout server 60s"]
        for port, listening in self.ports.items():
            lines += [f"listen port{port}", f"  bind 127.0.0.1:{listening}", f"  bind ::1:{listening}",
                      f"  server gateway 127.0.0.1:{ours[port]} {send} {check}"]
        conf = self.folder / "haproxy.cfg"
        conf.write_text("\n".join(lines) + "\n")
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["haproxy", "-db", "-f", conf], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        wait_until(self._listens, lambda: f"HAProxy listens\n{self.log.read_text()}")

    def _listens(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            for port in self.ports.values():
                socket.create_connection(("127.0.0.1", port), 5).close()
            return True
        except OSError:
            return False

    def close(self):
        end_process(self.process)
        remove_folder(self.folder)
