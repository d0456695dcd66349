"""The dkim commands, from a new key to a signature that verifies."""

import json
import re

import dkim as dkimpy
import pytest

from appliance.cli import dkim
from appliance.cli.main import run
from appliance.dns.answers import Type
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from support import dkimkeys
from support.smtphouse import STATIC

MESSAGE = b"From: Alice <alice@example.org>\nTo: bob@example.net\nSubject: hi\n\nHello,  you.\n\n"


@pytest.fixture
def command(monkeypatch, capfdbinary, tmp_path):
    """Runs a command: exit code, standard output, standard error."""

    def run_command(*words, stdin=b""):
        with (tmp_path / "stdin").open("w+b") as stream:
            stream.write(stdin)
            stream.seek(0)

            class Stdin:
                buffer = stream

            monkeypatch.setattr("sys.stdin", Stdin)
            code = run(["moxpy", *words])
        out, err = capfdbinary.readouterr()
        return code, out, err.decode()

    return run_command


def publish(monkeypatch, records):
    table = Table({name: {Type.TXT: [text]} for name, text in records.items()}, authentic=True)
    monkeypatch.setattr(dkim, "_resolver", lambda invocation: Resolver(table))


def zone_text(line: bytes) -> str:
    """The record of a line in a zone file."""
    strings = re.findall(r'"([^"]*)"', line.decode())
    assert all(len(one) <= 100 for one in strings)
    return "".join(strings)


@pytest.mark.parametrize("kind", ["gened25519", "genrsa"])
def test_from_a_key_to_a_verified_message(command, monkeypatch, tmp_path, kind):
    code, pem, _ = command("dkim", kind)
    assert code == 0
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert pem.endswith(b"-----END PRIVATE KEY-----\n")
    code, line, _ = command("dkim", "txt", stdin=pem)
    assert code == 0
    assert line.startswith(b'<selector>._domainkey.<your.domain.> TXT "v=DKIM1;h=sha256;t=s;')
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "moxpy.toml").write_text(STATIC)
    (tmp_path / "domains.toml").write_text(
        '[domains."example.org"]\n[domains."example.org".dkim]\nsign = ["one"]\n'
        '[domains."example.org".dkim.selectors.one]\nprivate_key_file = "key.pem"\n'
        '[accounts.alice]\ndomain = "example.org"\n[accounts.alice.destinations."alice@example.org"]\n'
    )
    config = ("--config", str(tmp_path / "moxpy.toml"))
    (tmp_path / "message").write_bytes(MESSAGE)
    code, signed, _ = command("dkim", "sign", *config, str(tmp_path / "message"))
    assert code == 0
    assert signed.endswith(MESSAGE.replace(b"\n", b"\r\n"))
    record = zone_text(line)
    publish(monkeypatch, {"one._domainkey.example.org": record})
    code, out, _ = command("dkim", "verify", "-", stdin=signed)
    assert code == 0
    first, second, *_ = out.decode().splitlines()
    assert (first, second) == ('status "pass", err none', f'record "{record}"')
    (one,) = json.loads(command("dkim", "verify", "--json", "-", stdin=signed.replace(b"\r\n", b"\n"))[1])
    assert (one["status"], one["domain"], one["selector"], one["authentic"]) == ("pass", "example.org", "one", True)
    if kind == "genrsa":
        assert dkimpy.verify(signed, dnsfunc=lambda name, timeout=5: record.encode())
    code, out, _ = command("dkim", "lookup", "one", "example.org")
    assert code == 0
    assert out.decode().splitlines()[:3] == ["status: neutral", f"TXT record: {record}", "dnssec-signed: yes"]


def test_verdicts_are_the_output(command, monkeypatch):
    publish(monkeypatch, {})
    assert command("dkim", "verify", "-", stdin=MESSAGE) == (0, b"no signatures\n", "")
    assert command("dkim", "verify", "--check", "-", stdin=MESSAGE)[0] == 3
    message = dkimkeys.signed(MESSAGE.replace(b"\n", b"\r\n"), names="from:subject")
    code, out, _ = command("dkim", "verify", "-", stdin=message)
    assert (code, out.splitlines()[0][:40]) == (0, b'status "permerror", err no key record: r')
    assert command("dkim", "verify", "--check", "-", stdin=message)[0] == 3
    assert command("dkim", "verify", "/nonexistent/file")[0] == 1


def test_lookup_of_what_is_not_in_order(command, monkeypatch):
    publish(
        monkeypatch,
        {
            "20240101._domainkey.example.org": "v=DKIM1; p=",
            "spf._domainkey.example.org": "v=spf1",
            "bad._domainkey.example.org": "v=DKIM1; p=!",
        },
    )
    code, out, _ = command("dkim", "lookup", "20240101", "example.org.")
    assert (code, b"key: revoked" in out) == (0, True)
    for selector, status in (("spf", "temperror"), ("bad", "permerror"), ("none", "permerror")):
        code, out, _ = command("dkim", "lookup", "--json", selector, "example.org")
        assert (code, json.loads(out)["status"]) == (1, status)
        assert command("dkim", "lookup", selector, "example.org")[1].startswith(b"error: ")
    assert command("dkim", "lookup", "a..b", "example.org")[0] == 1


@pytest.mark.parametrize(
    ("message", "error"),
    [
        pytest.param(MESSAGE.replace(b"example.org", b"elsewhere.example"), "not a domain", id="not ours"),
        pytest.param(MESSAGE, "does not sign", id="does not sign"),
        pytest.param(b"From: a@example.org, b@example.org\n\n", "exactly one", id="two authors"),
        pytest.param(b"\n", "From", id="no author"),
    ],
)
def test_what_cannot_be_signed(command, tmp_path, message, error):
    (tmp_path / "moxpy.toml").write_text(STATIC)
    (tmp_path / "domains.toml").write_text(
        '[domains."example.org"]\n[accounts.alice]\ndomain = "example.org"\n'
        '[accounts.alice.destinations."alice@example.org"]\n'
    )
    code, _, err = command("dkim", "sign", "--config", str(tmp_path / "moxpy.toml"), "-", stdin=message)
    assert (code, error in err) == (1, True), err


def test_not_a_key(command):
    code, _, err = command("dkim", "txt", stdin=b"nonsense")
    assert (code, "no private key" in err) == (1, True)
