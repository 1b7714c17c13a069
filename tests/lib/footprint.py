"""The memory that one process holds at its peak, its memory files and helpers (gpg) among it."""

import os
import threading

INTERVAL = 0.01  # seconds between two looks
HELPERS_EVERY = 5  # of them one looks for helpers, which takes longer


def _read(*name):
    """A file below /proc, "" when the process is gone."""
    try:
        with open(os.path.join("/proc", *map(str, name)), encoding="ascii", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def _bytes(text, field):
    """A field of /proc/PID/status, 0 when it is not there."""
    for line in text.splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def _private(pid):
    """Bytes of heap, stack and data. Program and libraries are shared with all other roles."""
    return _bytes(_read(pid, "status"), "RssAnon")


def _memory_files(pid):
    """Bytes of all memory files that PID has open, each whole and once, be it mapped or not."""
    found = {}
    folder = f"/proc/{pid}/fd"
    try:
        for number in os.listdir(folder):
            path = f"{folder}/{number}"
            try:
                if os.readlink(path).startswith("/memfd:"):
                    stat = os.stat(path)
                    found[stat.st_ino] = stat.st_blocks * 512
            except OSError:
                continue  # closed meanwhile
    except OSError:
        pass
    return sum(found.values())


def _helpers(pid):
    """Processes of the group that PID leads: what a worker started, wherever it hangs by now."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != pid:
            fields = _read(entry, "stat").rpartition(")")[2].split()
            if fields and int(fields[2]) == pid:
                yield int(entry)


class Footprint:
    """
    with Footprint(pid) as f: …; then f.peak, in bytes, is the larger one of

      the kernel's high-water mark of what the process had mapped (VmHWM): heap, program, libraries, mapped memory files;
      its private memory, that of the programs it started, and every memory file that it had open, whole, whether it was
      mapped or not and whoever made it: the most that was seen at one time, looking every few milliseconds.

    Wants root: a role is not dumpable.
    """

    def __init__(self, pid):
        self.pid = pid
        self.rest = self.peak = self.looks = self.helpers = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")  # the high-water mark begins anew
        self.rest = _private(self.pid) + _memory_files(self.pid)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()
        mark = _bytes(_read(self.pid, "status"), "VmHWM")
        assert mark, f"process {self.pid} did not live through it"
        self.peak = max(self.peak, mark)

    def _watch(self):
        helpers = 0
        while not self._done.wait(INTERVAL):
            if self.looks % HELPERS_EVERY == 0:
                helpers = sum(_private(helper) for helper in _helpers(self.pid))
                self.helpers = max(self.helpers, helpers)
            self.peak = max(self.peak, _private(self.pid) + _memory_files(self.pid) + helpers)
            self.looks += 1
