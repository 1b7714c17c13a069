"""The page that tests/fault/killat.c reads: which role dies at which system call, or which call fails."""

import itertools
import mmap
import struct

LAYOUT = struct.Struct("=IiII16s16si")  # armed, countdown, fired, after, role, call, fault

SHORT = -1  # a fault: the first half is written


class KillPage:
    def __init__(self, path):
        path.write_bytes(bytes(mmap.PAGESIZE))
        path.chmod(0o666)  # mapped by roles before and after they drop their rights
        self._file = open(path, "r+b")
        self._page = mmap.mmap(self._file.fileno(), mmap.PAGESIZE)
        self._numbers, self._step = itertools.count(1), 0

    def arm(self, role, call, n, after):
        """The Nth CALL of ROLE from now on kills it, before or AFTER the call is made."""
        self._set(n, after, role, call, 0)

    def fail(self, role, call, fault):
        """Every CALL of ROLE fails with the errno FAULT, or writes SHORT, until disarmed."""
        self._set(0, 0, role, call, fault)

    def _set(self, n, after, role, call, fault):
        self._step = next(self._numbers)
        self._page[: LAYOUT.size] = LAYOUT.pack(0, n, 0, after, role.encode(), call.encode(), fault)
        self._page[0:4] = struct.pack("=I", self._step)

    def disarm(self):
        self._page[0:4] = bytes(4)

    @property
    def fired(self):
        return LAYOUT.unpack(self._page[: LAYOUT.size])[2] == self._step

    def close(self):
        self._page.close()
        self._file.close()
