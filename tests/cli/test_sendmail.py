"""The command sendmail without a server: its flags, its file, and messages that are kept."""

import io
import stat
import sys

import pytest

from appliance.cli import sendmail
from appliance.cli.main import FAILED, USAGE, UsageError, run
from appliance.cli.sendmail import Called
from support.served import free_ports

MINE = 'host = "localhost"\nfrom = "me@example.org"\n'


@pytest.mark.parametrize(("words", "called"), [
    pytest.param("root", Called(("root",)), id="recipient"),
    pytest.param("-t", Called(from_header=True), id="-t"),
    pytest.param("-FCronDaemon -i -B8BITMIME -oem root", Called(("root",), name="CronDaemon"), id="cronie"),
    pytest.param("-i -FCronDaemon -B 8BITMIME -oem -- root", Called(("root",), name="CronDaemon"), id="values apart"),
    pytest.param("-t -i", Called(from_header=True), id="php"),
    pytest.param("-ti -f root@x -F Name", Called(from_header=True, name="Name"), id="cluster"),
    pytest.param("-oi -fx@t root", Called(("root",)), id="a value is no cluster"),
    pytest.param("-q15m -d0.1 -v -N never -R hdrs -V id root", Called(("root",)), id="ignored"),
    pytest.param("root -i", Called(("root",)), id="flag behind"),
    pytest.param("-i -- -x", Called(("-x",)), id="after --"),
    pytest.param("--unknown root", Called(("root",)), id="long flag"),
    pytest.param("-bm a b", Called(("a", "b")), id="several"),
    pytest.param("-C file root", Called(("root",), config="file"), id="configuration"),
])  # fmt: skip
def test_flags(words, called):
    assert sendmail.parse(words.split()) == called


@pytest.mark.parametrize("words", ["", "-i", "-bs", "-bp root", "-b d", "root -F", "-q"])
def test_wrong_calls(words):
    with pytest.raises(UsageError):
        sendmail.parse(words.split())


@pytest.fixture
def send(tmp_path, monkeypatch, capsys):
    """Calls sendmail with a file and a message; exit code, what it prints, what it keeps."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def called(*arguments, file=MINE, message=b"Subject: x\n\nhi\n", name="/usr/sbin/sendmail"):
        config = tmp_path / "submit.toml"
        if file is not None:
            config.write_text(file)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(message)))
        code = run([name, "-C", str(config), *arguments])
        said = capsys.readouterr()
        assert said.out == ""
        return code, said.err, sorted((tmp_path / sendmail.FAILURES).glob("newmsg.*"))

    return called


@pytest.mark.parametrize(("arguments", "message", "error"), [
    pytest.param(["root"], b"hi", "'root' has no domain", id="no default destination"),
    pytest.param(["a@b.example", "c@d.example"], b"hi", "not to 2", id="several"),
    pytest.param(["a@b@c"], b"hi", "recipient: ", id="no address"),
    pytest.param(["-t"], b"Cc: a@b.example\n\nhi", "exactly one", id="no To"),
    pytest.param(["-t"], b"To: a@b.example, c@d.example\n\nhi", "exactly one", id="several in To"),
    pytest.param(["-t", "a@b.example"], b"To: a@b.example\n\nhi", "either -t", id="both"),
])  # fmt: skip
def test_messages_that_go_nowhere_are_kept(send, arguments, message, error):
    code, said, (kept,) = send(*arguments, message=message)
    assert code == FAILED
    assert error in said
    assert f"the message is kept in {kept}" in said
    assert kept.read_bytes() == message
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_server_that_is_not_there(send):
    (port,) = free_ports(1)
    code, said, (kept,) = send("you@example.net", file=f"{MINE}port = {port}\n")
    assert code == FAILED
    assert f"localhost port {port}: cannot connect: " in said
    assert kept.read_bytes().startswith(b"Subject: x\r\nFrom: me@example.org\r\nTo: you@example.net\r\nDate: ")
    assert len(send("you@example.net", file=f"{MINE}port = {port}\n")[2]) == 2


def test_message_that_is_too_large_is_kept_whole(send, monkeypatch):
    monkeypatch.setattr(sendmail, "MESSAGE_OCTETS", 1000)
    monkeypatch.setattr(sendmail, "_PIECE_OCTETS", 300)
    message = b"x" * 5000
    code, said, (kept,) = send("you@example.net", message=message)
    assert (code, "the message has more than" in said) == (FAILED, True)
    assert kept.read_bytes() == message


def test_wrong_call_keeps_nothing(send):
    code, said, kept = send("-bs")
    assert (code, kept) == (USAGE, [])
    assert "messages are submitted here" in said


def test_home_that_takes_nothing(send, tmp_path):
    (tmp_path / sendmail.FAILURES).write_text("")
    code, said, _ = send("root")
    assert code == FAILED
    assert "the message is lost" in said


def test_called_by_that_name_it_knows_no_other_command(send):
    code, said, _ = send("version")
    assert code == FAILED
    assert "recipient 'version' has no domain" in said


def test_nothing_else_when_installed_for_all(monkeypatch, capsys):
    monkeypatch.setattr("os.getegid", lambda: 1)
    monkeypatch.setattr("os.getgid", lambda: 2)
    assert run(["moxpy", "config", "test"]) == USAGE
    assert "does nothing else" in capsys.readouterr().err
    assert run(["sendmail", "-C", "/etc/shadow", "root"]) == USAGE
    assert "-C: not with" in capsys.readouterr().err


SECRET = "verysecret"


@pytest.mark.parametrize(("file", "error"), [
    pytest.param(None, "there is no such file (moxpy config describe-sendmail", id="no file"),
    pytest.param("host = 1", "must be a string", id="no string"),
    pytest.param('host = "localhost"\n', "from: is required", id="no sender"),
    pytest.param(MINE + 'fro = "x"', "did you mean `from`?", id="unknown key"),
    pytest.param(MINE + f'password = "{SECRET}"\n', "username: is required", id="no name"),
    pytest.param(MINE + 'username = "me"\n', "needs one of password", id="no secret"),
    pytest.param(MINE + f'username = "me"\npassword = "{SECRET}"\nclient_auth_ed25519_private_key = "{SECRET}"\n',
                 "only one of", id="two secrets"),
    pytest.param(MINE + f'client_auth_ed25519_private_key = "{SECRET}"\n', "must be 32 octets", id="seed"),
    pytest.param(MINE + f'tls = false\nclient_auth_ed25519_private_key = "{"A" * 43}"\n', "in TLS only", id="no TLS"),
    pytest.param(MINE + 'client_auth_cert_private_key_pem_file = "x.pem"\n', "must be an absolute", id="relative"),
    pytest.param(MINE + 'client_auth_cert_private_key_pem_file = "/dev/null"\n', "cannot be used", id="no key"),
    pytest.param(MINE + 'client_auth_cert_private_key_pem_file = "/nonexistent"\n', "No such file", id="no key file"),
    pytest.param(MINE + f'username = "me"\npassword = "{SECRET}"\nauth_method = "EXTERNAL"\n', "goes with a client key",
                 id="method of another secret"),
    pytest.param(MINE + 'auth_method = "PLAIN"\n', "nothing to log in with", id="method without secret"),
    pytest.param(MINE + 'auth_method = "MAGIC"\n', "must be one of: EXTERNAL", id="unknown method"),
    pytest.param(MINE + 'require_tls = "yes"\ntls_insecure_skip_verify = true\n', "that is verified", id="requiretls"),
    pytest.param(MINE + f'password = "{SECRET}\n', "not valid TOML", id="no TOML"),
])  # fmt: skip
def test_files_that_cannot_be_used(send, file, error):
    code, said, (kept,) = send("root", file=file)
    assert code == FAILED
    assert error in said
    assert SECRET not in said
    assert kept.read_bytes() == b"Subject: x\n\nhi\n", "an alert is not lost for a fault in the file"
