"""dmarc parsereportmsg, tlsrpt parsereportmsg and lookup, the last against a name server on the loopback."""

import json
from collections.abc import Iterator

import pytest

from appliance.cli.main import FAILED, OK, USAGE, run
from support.nameserverthread import name_server
from support.reports import TLS, dmarc_mail, tls_mail

RECORDS = {
    ("_smtp._tls.ours.example.", "TXT"): [
        '"v=TLSRPTv1; rua=mailto:tls@ours.example,https://ours.example/r"',
        '"other"',
    ],
    ("_smtp._tls.two.example.", "TXT"): [
        '"v=TLSRPTv1; rua=mailto:a@two.example"',
        '"v=TLSRPTv1; rua=mailto:b@two.example"',
    ],
    ("_smtp._tls.bad.example.", "TXT"): ['"v=TLSRPTv1; rua=a@bad.example"'],
    ("_smtp._tls.other.example.", "TXT"): ['"something else"'],
}


@pytest.fixture
def server() -> Iterator[str]:
    with name_server(RECORDS) as address:
        yield address


def test_dmarc(tmp_path, capsys):
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(dmarc_mail())
    bad.write_bytes(b"Subject: hi\r\n\r\nhello\r\n")
    assert run(["moxpy", "dmarc", "parsereportmsg", str(good)]) == OK
    assert capsys.readouterr().out.splitlines() == [
        f"{good}: report 1234567890123456789 of big.example <noreply-dmarc@big.example>",
        "  from 2023-11-15 00:00:00 to 2023-11-15 23:59:59 UTC",
        "  about ours.example: p=reject; sp=quarantine; np=reject; adkim=r; aspf=r; pct=100",
        "  2 messages, 0 of them failed DMARC",
        "  - 192.0.2.1, 2 from ours.example: dkim pass, spf fail, disposition none",
        "    because: local_policy arc=pass",
        "    dkim ours.example 2023a pass",
        "    dkim list.example s1 pass",
        "    spf list.example pass",
    ]
    assert run(["moxpy", "dmarc", "parsereportmsg", "--json", str(bad), str(good), str(tmp_path / "none")]) == FAILED
    told = capsys.readouterr()
    (document,) = json.loads(told.out)
    assert document["records"][0]["source_ip"] == "192.0.2.1"
    assert document["begin"].startswith("2023-11-15")
    assert told.err.splitlines() == [
        f"error: {bad}: there is no report in the message",
        f"error: {tmp_path / 'none'}: No such file or directory",
    ]


def test_tls(tmp_path, capsys):
    message = tmp_path / "message"
    message.write_bytes(tls_mail())
    assert run(["moxpy", "tlsrpt", "parsereportmsg", str(message)]) == OK
    assert json.loads(capsys.readouterr().out) == json.loads(TLS)
    message.write_bytes(dmarc_mail())
    assert run(["moxpy", "tlsrpt", "parsereportmsg", str(message)]) == FAILED
    assert capsys.readouterr().err == f"error: {message}: the report is not JSON\n"


def test_lookup(server, capsys):
    ask = ["moxpy", "tlsrpt", "lookup", "--server", server]
    assert run([*ask, "ours.example"]) == OK
    record = "v=TLSRPTv1; rua=mailto:tls@ours.example,https://ours.example/r"
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [record, "- mailto:tls@ours.example", "- https://ours.example/r"]
    assert run([*ask, "--json", "Ours.Example."]) == OK
    document = json.loads(capsys.readouterr().out)
    assert (document["domain"], document["record"]) == ("ours.example", record)
    assert document["addresses"] == ["mailto:tls@ours.example", "https://ours.example/r"]


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ("two.example", "2 TLSRPT records"),
        ("bad.example", "no address"),
        ("other.example", "no TLSRPT record"),
        ("none.example", "_smtp._tls.none.example"),
    ],
)
def test_no_record(server, capsys, domain, words):
    assert run(["moxpy", "tlsrpt", "lookup", "--server", server, domain]) == FAILED
    assert words in capsys.readouterr().err


def test_no_domain(capsys):
    assert run(["moxpy", "tlsrpt", "lookup", "a b"]) == USAGE
