"""A real Dovecot, only its authentication service, run from a private folder."""

import os
import shutil
import signal
import subprocess

from tools import end_process, remove_folder, run, short_folder, wait_until


def program():
    """It is in a folder that is not on everybody's path."""
    return shutil.which("dovecot") or "/usr/sbin/dovecot"


class Dovecot:
    """
    users: {name: password}. Only root can run it. Names are written in lower case, as Dovecot comes. socket: what the
    gateway connects to. failure_delay: before FAIL.
    """

    def __init__(self, users, failure_delay=0, mechanisms="plain login"):
        self.folder = short_folder()
        self.users = self.folder / "passwd"
        self.socket = self.folder / "run" / "auth-client"
        self.process = None
        try:
            self.write_users(users)
            self._configure(failure_delay, mechanisms)
            self.start()
        except BaseException:
            self.close()
            raise

    def write_users(self, users):
        self.users.write_text("".join(f"{name}:{{PLAIN}}{password}::::::\n" for name, password in users.items()))
        self.users.chmod(0o644)

    def _configure(self, failure_delay, mechanisms):
        self.conf = self.folder / "dovecot.conf"
        self.conf.write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/log
protocols =
ssl = no
auth_mechanisms = {mechanisms}
auth_failure_delay = {failure_delay} secs
auth_verbose = yes
passdb {{
  driver = passwd-file
  args = {self.users}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-reader {{
    mode = 0600
  }}
}}
""")
        (self.folder / "log").touch()

    def start(self):
        self.process = subprocess.Popen([program(), "-F", "-c", self.conf], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder,
                                        start_new_session=True)
        wait_until(self._answers_or_ended, lambda: f"Dovecot answers\n{self.log}")

    def _answers_or_ended(self):
        assert self.process.poll() is None, f"Dovecot ended with {self.process.returncode}\n{self.log}"
        return run("doveadm", "-c", self.conf, "auth", "test", "-a", self.socket, "nobody", "x",
                   check=False).returncode != 75

    @property
    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self):
        """With its processes: they would serve connections that they have to the end."""
        if self.process:
            end_process(self.process)
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def close(self):
        self.stop()
        remove_folder(self.folder)
