"""make demo shows what it promises, and leaves nothing behind."""

import os
import re

from tools import BUILD, ROOT, run, wait_until


def demo(**environment):
    return run(ROOT / "tests/demo/demo.sh", env={**os.environ, "BUILD": str(BUILD), **environment}).stdout.decode()


def folders():
    return {name for name in os.listdir("/tmp") if name.startswith("sealgate-demo.")}


def test_demo():
    before = folders()
    said = demo()
    assert said.count("Noon, at the usual place.") == 4
    assert "queued, sealed for 3 of 4 recipients, held for a key: 1" in said
    assert "multipart/encrypted" in said and "enveloped-data" in said and "intact: yes" in said
    assert folders() == before


def test_demo_that_is_kept_is_stopped_by_what_it_prints():
    before = folders()
    said = demo(KEEP="1")
    stop = re.search(r"^ +stop +(\S+)$", said, re.M).group(1)
    status = re.search(r"^ +look +(\S+ -c \S+ status)", said, re.M).group(1)
    pids = re.search(r"kill (\d+) (\d+)", open(stop, encoding="ascii").read()).groups()
    assert b"delivery" in run(*status.split()).stdout
    run(stop)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "both processes are gone")
    assert folders() == before
