"""The records of a domain are published at BIND's named, by RFC 2136 with TSIG, and asked for with its own dig."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from interop import pebble
from support.exampleconfig import write_example

MOXPY, WORK = Path(os.environ["MOXPY"]), Path(os.environ["WORK"])
ZONE = "example.org"


def moxpy(folder: Path, port: int, *words: str) -> tuple[int, str]:
    command = [str(MOXPY), "--config", str(folder / "moxpy.toml"), "config", "dnsrecords", "--server"]
    done = subprocess.run([*command, f"127.0.0.1:{port}", *words, ZONE], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def main() -> None:
    folder = write_example(WORK / "config")
    with pebble.bind(WORK / "named", ZONE) as (named, secret):
        text = (folder / "moxpy.toml").read_text().replace('user = "moxpy"', 'user = "1234"')
        update = (
            f'\n[dns_updates."{ZONE}"]\nserver = "127.0.0.1"\nport = {named}\nkey_name = "acme"\nkey_file = "tsig"\n'
        )
        (folder / "moxpy.toml").write_text(text + update)
        (folder / "tsig").write_text(f"{secret}\n")

        code, told = moxpy(folder, named, "--apply")
        assert code == 1, told
        assert "nothing is changed without --yes" in told, told
        assert pebble.ask(named, f"{ZONE}.", "MX") == []
        code, told = moxpy(folder, named, "--apply", "--yes")
        assert code == 0, told
        assert "failed" not in told, told
        assert [one.split()[0] for one in pebble.ask(named, f"{ZONE}.", "MX")] == ["10"]
        assert any("v=spf1" in one for one in pebble.ask(named, f"{ZONE}.", "TXT"))
        code, told = moxpy(folder, named, "--diff")
        assert code == 0, told
        code, told = moxpy(folder, named, "--apply", "--yes")
        assert (code, "0 of 0 records published" in told) == (0, True), told

        # Another key changes nothing.
        (folder / "tsig").write_text("c29tZXRoaW5nIGVsc2U=\n")
        (folder / "moxpy.toml").write_text((text + update).replace("mx.example.org", "other.example.org"))
        code, told = moxpy(folder, named, "--apply", "--yes")
        assert (code, "does not take our key" in told or "NOTAUTH" in told) == (1, True), told
    print("published at named, and again; a wrong key is refused")


main()
