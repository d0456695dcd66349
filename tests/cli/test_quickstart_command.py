"""moxpy quickstart, as a user calls it; without a network."""

import json
import re
import stat

import pytest

from appliance.cli.main import FAILED, OK, USAGE, run

OFFLINE = ("quickstart", "--offline", "--hostname", "mx.example.org", "--ip", "192.0.2.1,2001:db8::1")


@pytest.fixture
def moxpy(tmp_path, monkeypatch):
    monkeypatch.setattr("appliance.operations.machine.held_ports", lambda *_: [])
    monkeypatch.setenv("MOXPY_DOCKER", "1")
    monkeypatch.chdir(tmp_path)
    return lambda *words: run(["moxpy", *words])


def test_what_is_said(moxpy, tmp_path, capsys):
    assert moxpy(*OFFLINE, "you@example.org", "moxpy") == OK
    said = capsys.readouterr().out
    assert said == (tmp_path / "quickstart.log").read_text()
    assert stat.S_IMODE((tmp_path / "quickstart.log").stat().st_mode) == 0o600
    assert re.search(r"^Password of you@example\.org:  \S{12}$", said, re.MULTILINE)
    assert re.search(r"^Password of the admin pages:  \S{12}$", said, re.MULTILINE)
    for line in (
        "Addresses:                 ok       as given: 192.0.2.1, 2001:db8::1",
        "  IMAP (TLS)           mail.example.org port 993, TLS from the start",
        "example.org. MX 10 mx.example.org.",
        "mx.example.org. AAAA 2001:db8::1",
        'example.org. CAA 0 issue "letsencrypt.org"',
    ):
        assert f"\n{line}\n" in said, line
    assert "passwords too: remove it" in said.splitlines()[-1]


def test_again(moxpy, tmp_path, capsys):
    assert moxpy(*OFFLINE, "you@example.org") == OK
    log = (tmp_path / "quickstart.log").read_text()
    capsys.readouterr()
    assert moxpy(*OFFLINE, "you@example.org") == FAILED
    assert "moxpy doctor" in capsys.readouterr().err
    assert (tmp_path / "quickstart.log").read_text() == log, "the passwords are still in it"


def test_dry_run(moxpy, tmp_path, capsys):
    assert moxpy(*OFFLINE, "--dry-run", "you@example.org") == OK
    said = capsys.readouterr().out
    assert "nothing was written" in said
    assert "Password" not in said
    assert "_domainkey.example.org. TXT" in said
    assert [*tmp_path.iterdir()] == []


def test_document(moxpy, tmp_path, capsys):
    assert moxpy(*OFFLINE, "--json", "you@example.org") == OK
    document = json.loads(capsys.readouterr().out)
    assert (document["account"], document["hostname"], document["unit"]) == ("you", "mx.example.org", None)
    assert {
        "name": "example.org",
        "type": "MX",
        "value": "10 mx.example.org.",
        "optional": False,
        "active": True,
    } in document["records"]
    assert len(document["password"]) == 12
    assert document["zone"].startswith("; DNS records for example.org")


@pytest.mark.parametrize(("words", "text"), [
    (("quickstart", "you"), "you: "),
    (("quickstart", "--offline", "you@example.org"), "--hostname"),
    (("quickstart", "--ip", "x", "you@example.org"), "--ip: "),
    (("quickstart", "--hostname", "a..b", "you@example.org"), "--hostname a..b"),
    (("quickstart",), "usage: moxpy quickstart"),
])  # fmt: skip
def test_mistakes(moxpy, tmp_path, capsys, words, text):
    assert moxpy(*words) == USAGE
    assert text in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_service_file(moxpy, tmp_path, capsys):
    assert moxpy("config", "printservice") == OK
    unit = capsys.readouterr().out
    assert f"\nReadWritePaths={tmp_path}\n" in unit
    assert f"\nWorkingDirectory={tmp_path}\n" in unit
    assert "\nType=notify\n" in unit
