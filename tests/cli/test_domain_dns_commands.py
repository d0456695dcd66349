"""config dnsrecords, config dnscheck and clientconfig, as they print."""

import json

import pytest

from appliance.cli.main import FAILED, OK, USAGE, run
from support.exampleconfig import write_example
from support.nameserverthread import name_server


@pytest.fixture
def moxpy(tmp_path, monkeypatch):
    monkeypatch.setattr("appliance.config.validate_static.find_user", lambda _: None, raising=False)
    folder = write_example(tmp_path / "config")
    text = (folder / "moxpy.toml").read_text().replace('user = "moxpy"', 'user = "1234"')
    (folder / "moxpy.toml").write_text(text)
    return lambda *words: run(["moxpy", "--config", str(folder / "moxpy.toml"), *words])


@pytest.fixture
def server():
    records = {
        ("example.org.", "MX"): ["10 mx.example.org."],
        ("_imaps._tcp.example.org.", "SRV"): ["0 1 993 old.example."],
        ("mx.example.org.", "A"): ["192.0.2.10"],
    }
    with name_server(records, failing="fails") as address:
        yield address


def test_records(moxpy, server, capsys):
    assert moxpy("config", "dnsrecords", "--server", server, "example.org") == OK
    zone = capsys.readouterr().out
    assert "\nexample.org. MX 10 mx.example.org.\n" in zone
    assert moxpy("config", "dnsrecords", "--server", server, "--format", "list", "example.org") == OK
    lines = capsys.readouterr().out.splitlines()
    assert "example.org\tMX\t10 mx.example.org." in lines
    assert all(line.count("\t") == 2 for line in lines)
    assert moxpy("config", "dnsrecords", "--server", server, "--json", "example.org") == OK
    document = json.loads(capsys.readouterr().out)
    assert [one["title"] for one in document if one["of_host"]] == [
        "Addresses of this machine", "DANE", "The host name as a sender",
    ]  # fmt: skip


def test_difference(moxpy, server, capsys):
    assert moxpy("config", "dnsrecords", "--server", server, "--diff", "example.org") == FAILED
    lines = capsys.readouterr().out.splitlines()
    assert "  example.org. MX 10 mx.example.org." in lines
    assert '+ _dmarc.example.org. TXT "v=DMARC1;p=reject;rua=mailto:dmarcreports@example.org!10m"' in lines
    at = lines.index("! _imaps._tcp.example.org. SRV 0 1 993 mail.example.org.")
    assert lines[at + 1] == "    instead: 0 1 993 old.example."
    assert lines[-1].startswith("2 of ")


def test_client_config(moxpy, capsys):
    assert moxpy("clientconfig", "example.org") == OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "protocol          host              port  listener  note",
        "IMAP (TLS)        mail.example.org  993   public    TLS from the start",
        "Submission (TLS)  mail.example.org  465   public    TLS from the start",
    ]


@pytest.fixture
def updates(moxpy, tmp_path):
    """Where records of example.org are changed: nobody is there."""
    file = tmp_path / "config" / "moxpy.toml"
    table = 'server = "127.0.0.1"\nport = 1\nkey_name = "moxpy"\nkey_file = "tsig"\n'
    file.write_text(f'{file.read_text()}\n[dns_updates."example.org"]\n{table}')
    (file.parent / "tsig").write_text("c2VjcmV0\n")
    return file.parent


def test_no_name_server_answers(moxpy, server, updates, capsys):
    """What cannot be found out is left to the operator, and nothing is changed."""
    assert moxpy("config", "dnsrecords", "--server", server, "--apply", "--yes", "example.org") == FAILED
    lines = capsys.readouterr().out.splitlines()
    assert "? example.org. MX 10 mx.example.org." in lines
    assert "cannot be asked" in lines[lines.index("? example.org. MX 10 mx.example.org.") + 1]
    assert lines[-1] == "0 of 0 records published (? left to you)"


def test_a_key_that_is_none(moxpy, server, updates, capsys):
    (updates / "tsig").write_text("?")
    assert moxpy("config", "dnsrecords", "--server", server, "--apply", "example.org") == FAILED
    assert "base64" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "code", "text"), [
    pytest.param(("config", "dnsrecords", "--yes", "example.org"), USAGE, "only with --apply", id="yes alone"),
    pytest.param(("config", "dnsrecords", "--apply", "example.org"), FAILED, "no name server", id="no updates"),
    pytest.param(("config", "dnsrecords", "other.example"), FAILED, "not configured; there are: example.org", id="unknown"),
    pytest.param(("config", "dnsrecords", "a..b"), USAGE, "a..b: ", id="malformed"),
    pytest.param(("config", "dnsrecords", "--format", "xml", "example.org"), USAGE, "one of bind", id="format"),
])  # fmt: skip
def test_mistakes(moxpy, capsys, words, code, text):
    assert moxpy(*words) == code
    assert text in capsys.readouterr().err


def test_check_of_a_domain_without_records(moxpy, capsys):
    """Nothing is dialed, since nothing is found."""
    with name_server({("com.", "NS"): ["a.gtld.example."]}, failing="fails") as address:
        assert moxpy("config", "dnscheck", "--server", address, "example.org") == FAILED
        lines = capsys.readouterr().out.splitlines()
        assert lines[lines.index("MX") + 1].startswith("  error: MX of example.org cannot be looked up")
        assert "    example.org. MX 10 mx.example.org." in lines
        assert lines[-1].startswith("in order: ")
        assert moxpy("config", "dnscheck", "--server", address, "--json", "example.org") == FAILED
    document = json.loads(capsys.readouterr().out)
    assert document["dmarc"]["records"][0]["name"] == "_dmarc.example.org"
    assert document["tls"]["errors"] == ["no mail host can be found"]
