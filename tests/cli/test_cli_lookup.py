"""dns lookup, against name servers on the loopback in a thread of their own."""

import json
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from appliance.cli.main import FAILED, OK, USAGE, run
from support.nameserverthread import name_server

RECORDS = {
    ("example.org.", "MX"): ["20 mx2.example.org.", "10 mx1.example.org."],
    ("mx1.example.org.", "A"): ["192.0.2.1"],
    ("mx1.example.org.", "AAAA"): ["2001:db8::1"],
    ("bad.example.org.", "MX"): ["10 192.0.2.1."],
    ("xn--bcher-kva.example.", "TXT"): ['"hello"'],
    ("1.2.0.192.in-addr.arpa.", "PTR"): ["mx1.example.org."],
    ("com.", "NS"): ["a.gtld.example."],
}


@pytest.fixture
def server() -> Iterator[str]:
    with name_server(RECORDS, failing="fails") as address:
        yield address


def test_lines(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["moxpy", "dns", "lookup", "--server", server, "mx", "example.org."]) == OK
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("mx of example.org. (2 records, with dnssec, by the word of the resolver, ttl ")
    assert sorted(rest) == ["- 10 mx1.example.org.", "- 20 mx2.example.org."]


@pytest.mark.parametrize(
    ("words", "records"),
    [
        (["mx1.example.org"], ["2001:db8::1", "192.0.2.1"]),
        (["A", "mx1.example.org"], ["192.0.2.1"]),
        (["txt", "bücher.example"], ["hello"]),
        (["ptr", "192.0.2.1"], ["mx1.example.org"]),
        (["mx", "bad.example.org"], []),
    ],
)
def test_document(server: str, words: list[str], records: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["moxpy", "dns", "lookup", "--json", "--server", server, *words]) == OK
    document = json.loads(capsys.readouterr().out)
    assert document["records"] == records
    assert document["vouched_by"] == "resolver"
    assert document["authentic"] is True
    assert document["validation"] == "resolver"
    assert len(document["malformed"]) == (not records)


def test_nobody_can_tell(server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that neither validates nor hands out signatures."""
    monkeypatch.setattr(dns.flags, "AD", dns.flags.Flag(0))
    assert run(["moxpy", "dns", "lookup", "--server", server, "a", "mx1.example.org"]) == OK
    assert "without dnssec, and nobody here can check it" in capsys.readouterr().out


def test_failures(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["moxpy", "dns", "lookup", "--server", server, "mx", "nobody.example"]) == FAILED
    assert "nobody.example does not exist (with dnssec" in capsys.readouterr().err
    assert run(["moxpy", "dns", "lookup", "--json", "--server", server, "mx", "nobody.example"]) == FAILED
    assert json.loads(capsys.readouterr().out)["exists"] is False
    assert run(["moxpy", "dns", "lookup", "--server", server, "mx", "fails.example"]) == FAILED
    assert "SERVFAIL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["any", "example.org"], "unknown type 'any'"),
        (["ptr", "example.org"], "takes an IP address"),
        (["--server", "dns.example", "example.org"], "not an IP address"),
    ],
)
def test_usage(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["moxpy", "dns", "lookup", *words]) == USAGE
    assert text in capsys.readouterr().err
