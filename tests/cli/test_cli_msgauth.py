"""spf, dmarc and dnsbl, against a name server on the loopback in a thread of its own."""

import io
import json
from collections.abc import Iterator

import pytest

from appliance.cli.main import FAILED, OK, USAGE, run
from support.nameserverthread import name_server

RECORDS = {
    ("example.org.", "TXT"): ['"v=spf1 ip4:192.0.2.1 include:in.example.org -all exp=why.example.org"', '"other"'],
    ("in.example.org.", "TXT"): ['"v=spf1 ip6:2001:db8::/32 ?all"'],
    ("why.example.org.", "TXT"): ['"%{i} is not one of %{d}"'],
    ("broken.example.org.", "TXT"): ['"v=spf1 oops"'],
    ("_dmarc.example.org.", "TXT"): [
        '"v=DMARC1; p=reject; rua=mailto:d@example.org,mailto:d@example.net; ruf=mailto:d@example.com"'
    ],
    ("example.org._report._dmarc.example.net.", "TXT"): ['"v=DMARC1"'],
    ("2.0.0.127.bl.example.", "A"): ["127.0.0.2"],
    ("1.2.0.192.bl.example.", "A"): ["127.0.0.4"],
    ("1.2.0.192.bl.example.", "TXT"): ['"sends spam"'],
}


@pytest.fixture
def server() -> Iterator[str]:
    with name_server(RECORDS, failing="fails") as address:
        yield address


SPF_FAIL = """\
explanation: 192.0.2.9 is not one of example.org
status: fail (with dnssec)
mechanism: -all
"""


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        pytest.param(
            "spf check example.org 192.0.2.1",
            OK,
            "status: pass (with dnssec)\nmechanism: ip4:192.0.2.1\n",
            "",
            id="pass",
        ),
        pytest.param(
            "spf check bob@example.org 2001:db8::1",
            OK,
            "status: pass (with dnssec)\nmechanism: include:in.example.org\n",
            "",
            id="address",
        ),
        pytest.param("spf check example.org 192.0.2.9", OK, SPF_FAIL, "", id="fail"),
        pytest.param("spf check --check example.org 192.0.2.9", 3, SPF_FAIL, "", id="fail, to act on"),
        pytest.param("spf check --check example.org 192.0.2.1", OK, None, "", id="pass, to act on"),
        pytest.param(
            "spf check broken.example.org 192.0.2.1",
            OK,
            "error: oops: an unknown mechanism\nstatus: permerror (with dnssec)\n",
            "",
            id="permerror",
        ),
        pytest.param("spf check example.org here", USAGE, "", "here: not an IP address\n", id="no address"),
        pytest.param("spf check a..b 192.0.2.1", USAGE, "", None, id="no domain"),
        pytest.param(
            "spf lookup example.org",
            OK,
            "v=spf1 ip4:192.0.2.1 include:in.example.org -all exp=why.example.org\nwith dnssec\n",
            "",
            id="record",
        ),
        pytest.param(
            "spf lookup none.example.org", FAILED, "", "error: none.example.org has no SPF record\n", id="no record"
        ),
        pytest.param("spf lookup fails.example.org", FAILED, "", None, id="no answer"),
        pytest.param(
            "dmarc lookup sub.example.org",
            OK,
            "policy domain: example.org\nrecord: v=DMARC1; p=reject; rua=mailto:d@example.org,mailto:d@example.net; ruf=mailto:d@example.com\nwith dnssec\n",
            "",
            id="DMARC of the organization",
        ),
        pytest.param("dmarc lookup example.com", FAILED, "", "error: example.com: no record\n", id="no DMARC"),
        pytest.param(
            "dmarc checkreportaddrs example.org",
            FAILED,
            "rua mailto:d@example.org: pass\nrua mailto:d@example.net: pass\n  record: v=DMARC1 (with dnssec)\n"
            "ruf mailto:d@example.com: fail, example.org._report._dmarc.example.com has no TXT record\n",
            "",
            id="who gets reports",
        ),
        pytest.param(
            "dnsbl check bl.example 192.0.2.1", OK, "status: fail\nexplanation: sends spam\n", "", id="listed"
        ),
        pytest.param("dnsbl check --check bl.example 192.0.2.2", OK, "status: pass\n", "", id="not listed"),
        pytest.param("dnsbl checkhealth bl.example", OK, "healthy\n", "", id="in order"),
        pytest.param("dnsbl checkhealth --ipv6 bl.example", FAILED, "", None, id="not for IPv6"),
    ],
)
def test_lines(
    server: str, capsys: pytest.CaptureFixture[str], words: str, code: int, out: str | None, err: str | None
) -> None:
    command, rest = words.split()[:2], words.split()[2:]
    assert run(["moxpy", *command, "--server", server, *rest]) == code
    printed = capsys.readouterr()
    if out is not None:
        assert printed.out == out
    if err is not None:
        assert printed.err == err
    assert bool(printed.err) == (code in {FAILED, USAGE} and not printed.out)


def test_json(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["moxpy", "spf", "check", "--json", "--server", server, "example.org", "192.0.2.1"]) == OK
    assert json.loads(capsys.readouterr().out)["status"] == "pass"


def test_parse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["moxpy", "spf", "parse", "v=spf1 mx -all"]) == OK
    assert run(["moxpy", "spf", "parse", "v=spf1 mx:"]) == FAILED
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "error: mx:: a domain is missing\n")


MESSAGE = b"From: Bob <bob@sub.example.org>\nSubject: x\n\nHello\n"


@pytest.mark.parametrize(
    ("ip", "mail_from", "helo", "lines"),
    [
        (
            "192.0.2.1",
            "bob@example.org",
            "mail.example.org",
            ["spf mailfrom: pass (with dnssec)", "dmarc status: pass (with dnssec)", "dmarc reject: no"],
        ),
        (
            "192.0.2.9",
            "<bob@example.org>",
            "mail.example.org",
            ["spf mailfrom: fail (with dnssec)", "dmarc status: fail (with dnssec)", "dmarc reject: yes"],
        ),
        ("192.0.2.9", "", "", ["spf helo: none (without dnssec)", "dmarc status: fail (with dnssec)"]),
    ],
)
def test_verify(
    server: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    ip: str,
    mail_from: str,
    helo: str,
    lines: list[str],
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MESSAGE)))
    assert run(["moxpy", "dmarc", "verify", "--server", server, ip, mail_from, helo]) == OK
    printed = capsys.readouterr().out.splitlines()
    assert set(lines) <= set(printed)
    assert "dkim: none" in printed
    assert "dmarc from: sub.example.org" in printed
    assert any(line.startswith("dmarc record: v=DMARC1; p=reject") for line in printed)
