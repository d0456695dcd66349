"""The command line without a server: parsing, exit codes, help, completion."""

import json
import subprocess

import pytest

from appliance.base.ids import ReceivedIDs
from appliance.cli import table
from appliance.cli.main import FAILED, OK, USAGE, run
from appliance.store.tables import Table
from support.stores import open_store


@pytest.mark.parametrize(
    ("arguments", "code", "out", "err"),
    [
        pytest.param(["version"], OK, "moxpy ", "", id="version"),
        pytest.param(["version", "extra"], USAGE, "", "usage: moxpy version", id="too many arguments"),
        pytest.param(["setaccountpassword"], USAGE, "", "usage: moxpy setaccountpassword", id="too few arguments"),
        pytest.param(["nonsense"], USAGE, "", "unknown command 'nonsense'", id="unknown command"),
        pytest.param(["config"], USAGE, "", "moxpy config test", id="beginning of commands"),
        pytest.param(["config", "-h"], OK, "moxpy config test", "", id="help of a beginning"),
        pytest.param(["version", "-help"], OK, "Print version and platform.", "", id="help of a command"),
        pytest.param(["version", "--loud"], USAGE, "", "unknown flag --loud", id="unknown flag"),
        pytest.param(["config", "test", "-config"], USAGE, "", "needs a value", id="flag without value"),
        pytest.param(["version", "--json=maybe"], USAGE, "", "true or false", id="switch with a word"),
        pytest.param(["help"], USAGE, "usage: moxpy", "", id="help"),
        pytest.param(["help", "config", "test"], OK, "Check the configuration files.", "", id="help command"),
        pytest.param(["help", "config"], OK, "config describe-static", "", id="help beginning"),
        pytest.param(["help", "nothing"], USAGE, "", "no command 'nothing'", id="help nothing"),
        pytest.param(["verifydata", "/nonexistent"], FAILED, "", "there is no store", id="no store"),
        pytest.param(["stop", "--config", "/nonexistent.toml"], FAILED, "", "there is no such file", id="no config"),
        pytest.param(["completion", "csh"], USAGE, "", "bash, zsh or fish", id="no such shell"),
    ],
)
def test_outcomes(capsys, arguments, code, out, err):
    assert run(["moxpy", *arguments]) == code
    said = capsys.readouterr()
    assert out in said.out
    assert err in said.err


def test_data_of_a_newer_program_are_not_judged(capsys, tmp_path):
    with open_store(tmp_path) as store:
        store.write_sync(lambda tx: tx.put(Table.META, b"schema version", b"99"))
    assert run(["moxpy", "verifydata", str(tmp_path)]) == FAILED
    assert "use a newer program" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["version", "--json"],
        ["version", "-json"],
        ["version", "--json=true"],
        ["-loglevel", "info", "version", "--json"],
        ["--loglevel=info", "version", "-json", "--"],
    ],
)
def test_flags_stand_where_they_like(capsys, arguments):
    assert run(["moxpy", *arguments]) == OK
    assert set(json.loads(capsys.readouterr().out)) == {"version", "python", "platform"}


def test_received_ids_lead_back_to_their_connection(capsys, tmp_path):
    assert run(["moxpy", "localserve", "--dir", str(tmp_path / "house"), "--initonly"]) == OK
    config = ["--config", str(tmp_path / "house" / "moxpy.toml")]
    received_id = ReceivedIDs((tmp_path / "house" / "receivedid.key").read_bytes()).encode(0x19ABCDEF)
    capsys.readouterr()
    assert run(["moxpy", "cid", *config, "--", received_id]) == OK
    assert capsys.readouterr().out == "19abcdef\n"
    other = ReceivedIDs(b"k" * 24).encode(1)
    assert run(["moxpy", "cid", *config, "--", other]) == FAILED
    assert "not an id of this installation" in capsys.readouterr().err


def test_templates_are_printed(capsys):
    for words in ("describe-static", "describe-domains", "describe-sendmail"):
        assert run(["moxpy", "config", words]) == OK
    said = capsys.readouterr().out
    assert "data_dir" in said
    assert "[accounts" in said
    assert '\nfrom = "user@example.org"\n' in said


def test_config_errors_are_told_together(capsys, tmp_path):
    (tmp_path / "moxpy.toml").write_text('hostname = "x"\nhostnam = 1\n')
    (tmp_path / "domains.toml").write_text("accounts = 3\n")
    assert run(["moxpy", "config", "test", "--config", str(tmp_path / "moxpy.toml"), "--json"]) == FAILED
    document = json.loads(capsys.readouterr().out)
    assert not document["ok"]
    assert any("did you mean `hostname`?" in problem for problem in document["errors"])
    assert any("domains.toml:1" in problem for problem in document["errors"])


@pytest.mark.parametrize("command", table.COMMANDS, ids=lambda command: command.words)
def test_every_command_has_help_and_a_handler(command):
    import importlib

    assert command.help.splitlines()[0].endswith(".")
    module, function = command.handler.split(":")
    assert callable(getattr(importlib.import_module(f"appliance.cli.{module}"), function))


def test_bash_completion_completes(capsys):
    assert run(["moxpy", "completion", "bash"]) == OK
    script = capsys.readouterr().out + (
        '\nCOMP_WORDS=(moxpy config de); COMP_CWORD=2; _moxpy; echo "${COMPREPLY[@]}"\n'
        'COMP_WORDS=(moxpy localserve --in); COMP_CWORD=2; _moxpy; echo "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["describe-domains describe-sendmail describe-static", "--initonly"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(capsys, shell):
    assert run(["moxpy", "completion", shell]) == OK
    assert "localserve" in capsys.readouterr().out
