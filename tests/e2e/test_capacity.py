"""Short forms of `make bench-idle` and `make bench-flat`: connections held while mail flows, and memory that stays."""

import pathlib
import sys
import types

import tools

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

import flat
import idle

pytestmark = pytest.mark.skipif(not pathlib.Path("/usr/sbin/smtp-sink").exists(), reason="smtp-sink is not installed")


def test_a17_idle_and_slow_connections_are_held_while_mail_flows():
    found = idle.measured(types.SimpleNamespace(idle=1000, slow=100, rate=50, seconds=3))
    assert found["still_open"] == {"idle": 1000, "slow": 100}
    assert found["beside"]["failed"] == 0 and found["beside"]["sent"] == found["alone"]["sent"]
    assert found["kb_per_connection"] < 64


def test_memory_stops_growing():
    found = flat.measured(types.SimpleNamespace(messages=2400))
    assert found["failed"] == 0 and found["sent"] == 2400
    assert found["flat"], found["grown_kb"]


@pytest.fixture(autouse=True, scope="module")
def programs():
    missing = [name for name in ("hold", "load") if not (tools.BUILD / name).exists()]
    if missing:
        pytest.skip(f"not built: {', '.join(missing)}; make e2e builds them")
