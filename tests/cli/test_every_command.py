"""A row for each command: a wrong call exits with 2, and one that needs the server tells where it was looked for."""

import io
import itertools
import json
import pstats
import shlex
import shutil
import subprocess
import tomllib

import pytest

from appliance import localserve
from appliance.cli import examples, main, table
from appliance.cli.commands.examples import EXAMPLES
from appliance.cli.main import FAILED, OK, USAGE, run
from appliance.config.load import load

CALLED = [pytest.param(command, id=command.words) for command in table.COMMANDS if not command.verbatim]

#: Beginnings of commands that work alone, or make a server.
ALONE = (
    "serve", "localserve", "quickstart", "setadminpassword", "verifydata", "junk", "config test", "config describe",
    "config ensureacmehostprivatekeys", "config example", "example", "config printservice", "config sendmail", "sendmailserve", "config dns", "clientconfig",
    "config tlspubkey gen", "dns ", "dane ", "dkim ", "dmarc lookup", "dmarc verify", "dmarc parse", "dmarc check", "dnsbl ", "mtasts ", "rdap ", "smtp ", "spf ", "tlsrpt lookup", "tlsrpt parse",
    "version", "help", "helpall", "completion", "licenses", "checkupdate", "updates", "cid", "message parse", "webapi", "doctor",
    "restore", "export", "ximport", "import imap", "gentestdata", "openaccounts", "readmessages", "queuefillretired",
    "dmarcdb", "tlsrptdb",
)  # fmt: skip
#: Arguments that are looked at before the server is asked.
VALUES = {
    "duration": "1h", "id": "1", "yes|no|default": "yes", "address": "mox@localhost", "true|false": "true",
    "size": "1G", "alias@domain": "all@localhost", "domain": "localhost", "level": "debug", "ip": "127.0.0.1",
    "own|shared": "own", "mailboxid": "1", "outside": "a@b.example", "fingerprint": "x", "rights": "lr",
}  # fmt: skip
#: Flags that they do nothing without.
NEEDED = {
    **{words: ["--all"] for words in ("queue fail", "queue drop", "queue webhook cancel")},
    "config alias update": ["--postpublic", "true"],
}
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("command", CALLED)
def test_wrong_calls(capsys, command):
    words = command.words.split()
    assert run(["moxpy", *words, "--no-such-flag"]) == USAGE
    assert f"usage: {command.usage}" in capsys.readouterr().err
    if not any(argument.many for argument in command.arguments):
        assert run(["moxpy", *words, *["x"] * (len(command.arguments) + 1)]) == USAGE
    if any(not argument.optional for argument in command.arguments):
        assert run(["moxpy", *words]) == USAGE


@pytest.mark.parametrize("command", CALLED)
def test_help(capsys, command):
    assert run(["moxpy", "help", *command.words.split()]) == OK
    said = capsys.readouterr().out
    assert said.startswith(f"usage: {command.usage}\n")
    assert all(len(line) <= 140 for line in said.splitlines()[1:])


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_are_calls(line):
    words = list(itertools.takewhile(lambda word: word not in "<>", shlex.split(line)))
    assert words.pop(0) == "moxpy"
    command, used = table.find(words)
    assert command is not None
    if not command.verbatim:
        main._parse(command, words[used:])


def test_what_takes_arguments_has_examples():
    lacking = [one.words for one in table.COMMANDS if (one.arguments or len(one.flags) > 1) and not table.examples(one)]
    assert lacking == []
    help = main.full_help(table.find(["backup"])[0])
    assert help.endswith("examples:\n  moxpy backup --keep 7 /var/backups/moxpy")


def test_profiles(tmp_path, capsys):
    processor, memory = tmp_path / "cpu", tmp_path / "memory"
    assert run(["moxpy", "version", "--cpuprof", str(processor), "--memprof", str(memory)]) == OK
    assert pstats.Stats(str(processor)).total_calls > 0
    assert "size=" in memory.read_text()
    assert run(["moxpy", "version", "--cpuprof", str(tmp_path / "no" / "cpu")]) == FAILED
    assert "No such file" in capsys.readouterr().err


def test_a_trace_tells_which_calls_took_when(tmp_path, capsys):
    file = tmp_path / "trace"
    assert run(["moxpy", "licenses", "--trace", str(file)]) in {OK, FAILED}
    events = json.loads(file.read_text())["traceEvents"]
    assert any(event["name"].endswith("all_texts") for event in events)
    assert all(event["ph"] == "X" and event["dur"] >= 100 for event in events)
    assert run(["moxpy", "version", "--trace", str(file), "--cpuprof", str(file)]) == USAGE
    assert run(["moxpy", "version", "--trace", str(tmp_path / "no" / "trace")]) == FAILED


def test_what_lies_in_a_store_and_is_not_of_it(tmp_path, capsys):
    folder = tmp_path / "data"
    assert run(["moxpy", "gentestdata", str(folder)]) == OK
    stranger, known = folder / "store" / "note.txt", folder / "moved" / "store"
    stranger.write_text("mine")
    assert run(["moxpy", "verifydata", str(folder)]) == FAILED
    assert "note.txt: does not belong there" in capsys.readouterr().out
    for name in ("note.txt", "note.txt.2"):
        stranger.write_text("mine")
        assert run(["moxpy", "verifydata", "--fix", "--skip-size-check", str(folder)]) == OK
        assert (known / name).read_text() == "mine"
        assert not stranger.exists()
    assert run(["moxpy", "verifydata", str(folder)]) == OK


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("commands") / "local"
    localserve.create(made, localserve.LOOPBACK)
    return made


@pytest.mark.parametrize("command", [one for one in CALLED if not one.values[0].words.startswith(ALONE)])
def test_without_a_server(capsys, monkeypatch, tmp_path, folder, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(CERTIFICATE.encode())))
    arguments = [VALUES.get(one.name, "x") for one in command.arguments if not one.optional]
    flags = NEEDED.get(command.words, [])
    config = ["--config", str(folder / "moxpy.toml")]
    assert run(["moxpy", *config, *command.words.split(), *flags, *arguments]) == FAILED
    assert str(load(folder / "moxpy.toml").data_directory / "ctl") in capsys.readouterr().err


def test_examples_are_valid_configuration(folder, capsys):
    static, domains = folder / "moxpy.toml", folder / "domains.toml"
    before = static.read_text(), domains.read_text()
    (folder / "web").mkdir()
    try:
        assert run(["moxpy", "config", "example", "transport"]) == OK
        static.write_text(before[0] + capsys.readouterr().out)
        assert run(["moxpy", "config", "example", "webhandlers"]) == OK
        domains.write_text(before[1] + capsys.readouterr().out)
        config = load(static, check_files=False)
        assert {"smarthost", "tunnel", "none"} <= set(config.static.transports)
        assert len(config.domains.web_handlers) >= 4
    finally:
        static.write_text(before[0])
        domains.write_text(before[1])


@pytest.mark.parametrize("name", sorted(examples._OTHER))
def test_examples_of_webhooks_are_json(capsys, name):
    assert run(["moxpy", "example", name]) == OK
    assert json.loads(capsys.readouterr().out)["Version"] == 0


def test_helpall_has_everything(capsys):
    assert run(["moxpy", "helpall"]) == OK
    said = capsys.readouterr().out
    assert all(f"usage: {command.usage}\n" in said for command in table.COMMANDS)


def test_licenses(capsys):
    code = run(["moxpy", "licenses"])
    said = capsys.readouterr()
    assert (code, "MIT License" in said.out) == (OK, True) or "not installed" in said.err


def test_message_parse(capsys, tmp_path):
    path = tmp_path / "message"
    path.write_bytes("Subject: grüß\r\nContent-Type: text/html\r\n\r\n<p>hi\r\n".encode())
    assert run(["moxpy", "message", "parse", "--smtputf8", str(path)]) == OK
    said = json.loads(capsys.readouterr().out)
    assert (said["root"]["subtype"], said["needs_smtputf8"], said["size"]) == ("html", True, path.stat().st_size)
    assert run(["moxpy", "message", "parse", str(tmp_path / "none")]) == FAILED


def test_webapi_shows_methods(capsys):
    assert run(["moxpy", "webapi"]) == OK
    assert capsys.readouterr().out.startswith("Send ")
    assert run(["moxpy", "webapi", "MessageGet"]) == OK
    assert "response:" in capsys.readouterr().out
    assert run(["moxpy", "webapi", "Nope"]) == FAILED
    assert run(["moxpy", "webapi", "Send", "ftp://x"]) == USAGE


def test_packages_have_the_files():
    project = tomllib.loads((examples.resources.files("appliance").parent / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["package-data"]["appliance.cli"] == ["files/*"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script(capsys, tmp_path, shell):
    assert run(["moxpy", "completion", shell]) == OK
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    if shutil.which(shell):
        subprocess.run([shell, "-n", str(script)], check=True, timeout=60)
    if shell == "bash":
        ask = f'source {script}; COMP_WORDS=(moxpy config exa); COMP_CWORD=2; _moxpy; echo "${{COMPREPLY[*]}}"'
        done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "example\n"
