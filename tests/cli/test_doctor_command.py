"""moxpy doctor against a folder, without asking anybody."""

import json

from appliance.cli.main import FAILED, run
from support.exampleconfig import write_example


def test_without_a_server(tmp_path, capsys):
    folder = write_example(tmp_path / "config")
    assert run(["moxpy", "--config", str(folder / "moxpy.toml"), "doctor", "--offline"]) == FAILED
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Configuration:             ERROR") and "no user" in line for line in lines)
    assert any(line.startswith("Server:                    ERROR    it does not run") for line in lines)
    assert lines[-1].split()[1:2] == ["wrong,"]
    assert run(["moxpy", "--config", str(folder / "moxpy.toml"), "doctor", "--offline", "--json"]) == FAILED
    document = json.loads(capsys.readouterr().out)
    assert not document["ok"]
    assert {one["title"] for one in document["checks"]} >= {"Configuration", "User", "Files", "Server", "Disk", "Ports"}


def test_a_file_that_is_none(tmp_path, capsys):
    (tmp_path / "moxpy.toml").write_text("x = [")
    assert run(["moxpy", "--config", str(tmp_path / "moxpy.toml"), "doctor", "--offline"]) == FAILED
    assert "not valid TOML" in capsys.readouterr().out
