"""A11: a message with one bit flipped in each of its bytes, and what its reader makes of each."""

import base64
import concurrent.futures
import os
import re
import tempfile

import readers
from tools import run

# Every so manyth byte where each costs a process; 1 is all of them (make flips).
STRIDE = int(os.environ.get("FLIPS_STRIDE", "24"))


def flipped(data, at):
    """One bit of the byte AT, another one in each byte of eight."""
    return data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1:]


def places(data):
    """Which bytes to try, of all regions, not the same in every block of a cipher."""
    return range(0, len(data), STRIDE + 1 if STRIDE % 2 == 0 else STRIDE)


def binary(message):
    """The packets of the OpenPGP message in a sealed mail, so that no checksum of the armor hides what gpg does."""
    body = readers.armored(message).split(b"\r\n\r\n", 1)[1]
    return base64.b64decode(body.partition(b"\r\n=")[0])


def der(message):
    """The CMS of an S/MIME mail."""
    return base64.b64decode(message.partition(b"\r\n\r\n")[2])


def with_gpg(person, data):
    """{place: what gpg gives out as decrypted, None: refused} for every byte, by one gpg."""
    opened = dict.fromkeys(range(len(data)))
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{at}.pgp" for at in opened]
        for at, file in enumerate(files):
            with open(file, "wb") as out:
                out.write(flipped(data, at))
        said = run("gpg", "--homedir", person.home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback",
                   "--passphrase", "", "--trust-model", "always", "--status-fd", "1", "--multifile", "--decrypt", *files,
                   check=False, timeout=300).stdout
        blocks = re.split(rb"^\[GNUPG:\] FILE_START 3 ", said, flags=re.M)[1:]
        assert len(blocks) == len(files), "gpg came to the end of all of them"
        for at, block in enumerate(blocks):
            assert block.startswith(files[at].encode())
            if b"\n[GNUPG:] DECRYPTION_OKAY" in block:
                with open(f"{folder}/{at}", "rb") as out:
                    opened[at] = out.read()
    return opened


def openssl(*words, data):
    """What openssl gives out, None: refused."""
    done = run("openssl", "cms", *words, input=data, check=False)
    return done.stdout if done.returncode == 0 else None


def with_openssl(data, read, at=None):
    """{place: READ(changed message)} for some bytes of DATA, two at a time."""
    at = list(at or places(data))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(at, pool.map(lambda i: read(flipped(data, i)), at)))
