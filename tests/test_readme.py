"""What README tells to type is typed: on free ports, and quickstart without a network."""

import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support import served

README = (Path(__file__).parents[1] / "README.md").read_text()
SECONDS = 180
#: The ports that README names, by their names in a house.
PORTS = served.USUAL_PORTS


def commands(heading: str) -> list[str]:
    """The indented lines of a section, those that go on joined."""
    section = re.split(r"^##+ ", README.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    found: list[str] = []
    goes_on = False
    for line in section.splitlines():
        if not line.startswith("    "):
            continue
        if goes_on:
            found[-1] += f"\n{line}"
        else:
            found.append(line.strip())
        goes_on = line.endswith(("\\", "|"))
    return found


def shell(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-ec", command], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_sections() -> None:
    """The headings that the tests look for are there."""
    assert len(commands("Mail for your domain")) == 10
    assert len(commands("Develop against it")) == 1
    assert len(commands("Try it")) == 8


def test_try_it(moxpy: Path, tmp_path: Path) -> None:
    """Every command for a running localserve."""
    shutil.copy(Path(__file__).parents[1] / "README.md", tmp_path)
    with served.running(moxpy, tmp_path / "house") as house:
        for command in commands("Try it"):
            program = next(word for word in re.split(r"[\s|]+", command) if word in {"swaks", "curl"})
            if shutil.which(program) is None:
                continue
            for name, port in PORTS.items():
                command = re.sub(rf"localhost:{port}\b", f"localhost:{getattr(house, name)}", command)
            said = shell(command, tmp_path)
            if "SEARCH" in command:
                assert re.search(r"\* SEARCH \d", said), said
            if "/Send" in command:
                assert '"Submissions"' in said, said


def test_installation(moxpy: Path, tmp_path: Path) -> None:
    """The commands before the server runs, in the folder of this test. Those for root are what quickstart prints."""
    shutil.copy(moxpy, tmp_path / "moxpy")
    found = {command.split()[0].removeprefix("./"): command for command in commands("Mail for your domain")}
    offline = "quickstart --offline --hostname mx.example.org --ip 192.0.2.1"
    [quickstart] = [one for one in commands("Mail for your domain") if "quickstart" in one]
    said = shell(quickstart.replace("quickstart", f"{offline} --dry-run"), tmp_path)
    assert "example.org. MX 10 mx.example.org." in said
    for program in ("useradd", "systemctl"):
        if f"\n  {program}" in said:  # Not where there is such a user, or no systemd.
            assert f"\n  {found[program].replace('/home/moxpy', str(tmp_path))}\n" in said
    shell(f"{quickstart.replace('quickstart', offline)} {pwd.getpwuid(os.geteuid()).pw_name}", tmp_path)
    said = shell("./moxpy config test && ./moxpy clientconfig example.org", tmp_path)
    assert "mail.example.org" in said


def _named() -> list[str]:
    """Commands of moxpy in README, each word until a flag or an argument."""
    found = re.findall(r"\./moxpy ((?:[a-z]+ ?)+)", README) + re.findall(r"`moxpy ((?:[a-z]+ ?)+)", README)
    return sorted({" ".join(one.split()) for one in found})


@pytest.mark.parametrize("words", _named())
def test_there_is_such_a_command(words: str) -> None:
    """Arguments may follow the words of a command."""
    from appliance.cli.table import COMMANDS

    names = {one.words for one in COMMANDS} | {"help"}
    parts = words.split()
    assert any(" ".join(parts[:count]) in names for count in range(1, len(parts) + 1)), words
