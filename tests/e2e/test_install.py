"""make install puts everything where a Debian administrator looks for it."""

import os

from tools import BUILD, ROOT, run


def test_install(tmp_path):
    # Not as a part of the make that runs the tests: its SANITIZER would be applied to BUILD a second time.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    run("make", "-s", "-C", ROOT, f"BUILD={BUILD}", f"DESTDIR={tmp_path}", "PREFIX=/usr", "install", timeout=300,
        env=environment)
    installed = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert installed == {
        "usr/sbin/sealgate", "usr/sbin/sealctl",
        "usr/share/man/man8/sealgate.8", "usr/share/man/man8/sealctl.8", "usr/share/man/man5/sealgate.conf.5",
        "usr/share/doc/sealgate/sealgate.conf", "usr/lib/systemd/system/sealgate.service",
        "usr/lib/systemd/system/sealgate.socket",
        "usr/lib/sysusers.d/sealgate.conf"}
    unit = (tmp_path / "usr/lib/systemd/system/sealgate.service").read_text()
    assert "ExecStart=/usr/sbin/sealgate -c /etc/sealgate/sealgate.conf" in unit and "@PREFIX@" not in unit
    assert run(tmp_path / "usr/sbin/sealgate", "-c", tmp_path / "missing", "-n", check=False).returncode == 66


def test_programs_are_hardened():
    for program in ("sealgate", "sealctl"):
        said = run("readelf", "-hldW", BUILD / program).stdout.decode()
        assert "DYN (Position-Independent Executable file)" in said
        assert "GNU_RELRO" in said and "BIND_NOW" in said
        assert "GNU_STACK" in said and "RWE" not in said
