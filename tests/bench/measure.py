"""CPU time and memory of a tree of processes, from /proc."""

import collections
import os
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


def read(*name):
    """The text of a file below /proc, "" when the process is gone or not ours to look into."""
    try:
        with open(os.path.join("/proc", *map(str, name)), encoding="ascii", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def kilobytes(text, field):
    """A field of status or smaps_rollup in kB, None when it is not there."""
    for line in text.splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return None


def busy():
    """The share of all cores that was in use during one second, 0 to 1."""
    def now():
        fields = [int(f) for f in read("stat").splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    total, idle = now()
    time.sleep(1)
    total_then, idle_then = now()
    return 1 - (idle_then - idle) / max(total_then - total, 1)


class Process:
    """cpu: seconds of the process; children: seconds of those that it has waited for."""

    def __init__(self, pid, stat):
        name, _, rest = stat.partition("(")[2].rpartition(")")
        fields = rest.split()
        self.pid, self.name, self.parent = pid, name, int(fields[1])
        self.cpu = (int(fields[11]) + int(fields[12])) / TICK
        self.children = (int(fields[13]) + int(fields[14])) / TICK


def tree(root):
    """{pid: Process} of ROOT and all below it."""
    found, below = {}, collections.defaultdict(list)
    for entry in os.listdir("/proc"):
        stat = read(entry, "stat") if entry.isdigit() else ""
        if stat:
            process = Process(int(entry), stat)
            found[process.pid] = process
            below[process.parent].append(process.pid)
    chosen, todo = {}, [root]
    while todo:
        pid = todo.pop()
        if pid in found:
            chosen[pid] = found[pid]
            todo += below[pid]
    return chosen


class Meter:
    """
    What a server's processes use. role(name) maps the name of a process (comm) to the line it is counted in, None: that
    of its parent. heir: the line for the time that processes leave to the root when they end.
    """

    def __init__(self, root, role, heir):
        self.root, self.role, self.heir = root, role, heir
        self.peaks = collections.Counter()  # role: kB, VmHWM of its processes together
        self.pss_peak = 0  # kB, all processes together, shared pages counted once
        self.pss_rest = self._look()

    def roles(self, processes):
        names = {}
        for pid, process in processes.items():
            name = self.role(process.name)
            while name is None:
                process = processes[process.parent]
                name = self.role(process.name)
            names[pid] = name
        return names

    def cpu(self, before, after):
        """
        Seconds between two looks at the tree, by role. What ended in between left its time to its parent; of that, what it had
        used by the first look is not of this time. The root's are workers that were replaced, and helpers whose parent did not
        wait for them.
        """
        used, roles = collections.Counter(), {**self.roles(before), **self.roles(after)}
        ended = collections.Counter()
        for pid, process in before.items():
            if pid not in after:
                heir = process.parent
                while heir in before and heir not in after:
                    heir = before[heir].parent
                ended[heir] += process.cpu + process.children
        for pid, process in after.items():
            old = before.get(pid)
            used[roles[pid]] += process.cpu - (old.cpu if old else 0)
            left = process.children - (old.children if old else 0) - ended[pid]
            used[self.heir if pid == self.root else roles[pid]] += max(left, 0)
        return dict(used)

    def _look(self):
        processes = tree(self.root)
        sums, pss = collections.Counter(), 0
        for pid, name in self.roles(processes).items():
            sums[name] += kilobytes(read(pid, "status"), "VmHWM") or 0
            pss += kilobytes(read(pid, "smaps_rollup"), "Pss") or 0
        for name, value in sums.items():
            self.peaks[name] = max(self.peaks[name], value)
        self.pss_peak = max(self.pss_peak, pss)
        return pss

    def watch(self):
        """Looks at the memory twice a second until the returned function is called."""
        done = threading.Event()

        def loop():
            while not done.wait(0.5):
                self._look()
            self._look()

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()

        def end():
            done.set()
            thread.join()

        return end
