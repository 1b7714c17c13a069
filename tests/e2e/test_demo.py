"""make demo shows what it promises, and leaves nothing behind."""

import os
import re

from tools import BUILD, ROOT, remove_folder, run, short_folder, wait_until

import pytest


@pytest.fixture
def demo():
    """demo(KEEP=…) → what it printed; demo.folder: where it works."""
    folder = short_folder()

    def call(**environment):
        environment = {**os.environ, "BUILD": str(BUILD), "TMPDIR": str(folder), **environment}
        return run(ROOT / "tests/demo/demo.sh", env=environment).stdout.decode()

    call.folder = folder
    yield call
    remove_folder(folder)


def test_demo(demo):
    said = demo()
    assert said.count("Noon, at the usual place.") == 4
    assert "queued, sealed for 3 of 4 recipients, held for a key: 1" in said
    assert "multipart/encrypted" in said and "enveloped-data" in said and "intact: yes" in said
    assert os.listdir(demo.folder) == []


def test_demo_that_is_kept_is_stopped_by_what_it_prints(demo):
    said = demo(KEEP="1")
    stop = re.search(r"^ +stop +(\S+)$", said, re.M).group(1)
    status = re.search(r"^ +look +(\S+ -c \S+ status)", said, re.M).group(1)
    with open(stop, encoding="ascii") as script:
        pids = re.search(r"kill (\d+) (\d+)", script.read()).groups()
    assert b"delivery" in run(*status.split()).stdout
    run(stop)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "both processes are gone")
    assert os.listdir(demo.folder) == []
