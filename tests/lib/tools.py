"""What every helper of the end-to-end tests needs: where things are, running programs, waiting, ports, folders."""

import contextlib
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
SEALGATE = BUILD / "sealgate"
SEALCTL = BUILD / "sealctl"
AS_ROOT = os.geteuid() == 0


@contextlib.contextmanager
def _stdin(text):
    """TEXT as a file: subprocess feeds a pipe in pieces of 4 KiB, which takes seconds for a large message."""
    if text is None:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.seek(0)
        yield file


def run(*command, input=None, check=True, timeout=60, **options):
    """Runs a program to its end; stdout and stderr are bytes. With CHECK its failure is an AssertionError that shows
    what it said."""
    command = [str(word) for word in command]
    if isinstance(input, str):
        input = input.encode()
    with _stdin(input) as stdin:
        options.setdefault("stdin", stdin)
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False, **options)
    if check and done.returncode != 0:
        said = (done.stdout[-1500:] + done.stderr[-3000:]).decode(errors="replace")
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{said}")
    return done


def wait_until(condition, what, timeout=30):
    """Returns the first true value of CONDITION(); AssertionError when TIMEOUT seconds pass without one. Looks less often the
    longer it takes: many a condition starts a program."""
    deadline = time.monotonic() + timeout
    pause = 0.02
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.3, 0.2)


def _ports():
    """All ports of this test process, again and again, from a random one on."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8
    first = random.randrange(2000)
    while True:
        for number in range(2000):
            yield 15000 + 2000 * worker + (first + number) % 2000


_PORTS = _ports()


def free_port():
    """A loopback port that nobody listens on and that nobody was given lately, below the range from which the kernel takes
    ports for clients; test processes that run side by side (gw0, gw1, …) each have a part of it."""
    for port in _PORTS:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no end")


def short_folder():
    """A new folder with a short path (sockets have at most 108 bytes) that other users may walk through."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sg-"))
    folder.chmod(0o711)
    return folder


def remove_folder(folder):
    shutil.rmtree(folder, ignore_errors=True)


def end_process(process, timeout=30):
    """SIGTERM, then SIGKILL, to a process of ours."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
