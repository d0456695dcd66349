import tomllib
import unicodedata

import pytest

from appliance.config.addresses import (
    AddressIndex,
    Disabled,
    Found,
    FoundAlias,
    NotLocal,
    Unknown,
    index_addresses,
)
from appliance.config.domains import Domains
from appliance.config.errors import Report
from appliance.config.schema import read_table
from appliance.config.static import Static
from appliance.mail.address import Address, Path, parse_address
from appliance.mail.domain import IPLiteral
from support.exampleconfig import DATA

DOMAINS = """
[domains."example.org"]
localpart_catchall_separators = ["+", "--"]
dmarc = { localpart = "dmarc+reports", account = "alice", mailbox = "DMARC" }
aliases = { team = { addresses = ["alice@example.org"] } }
[domains."bücher.example"]
[domains."case.example"]
localpart_case_sensitive = true
localpart_catchall_separators = ["-"]
[domains."off.example"]
disabled = true
[domains."parked.example"]
tlsrpt = { localpart = "tls", domain = "example.org", account = "alice", mailbox = "TLSRPT" }
[domains."list.example"]
aliases = { "all" = { addresses = ["alice@example.org"] } }
[accounts.alice.destinations]
"alice@example.org" = {}
"josé@example.org" = {}
"Ωmega@example.org" = {}
"a@bücher.example" = { mailbox = "Books" }
"@bücher.example" = { mailbox = "Catchall" }
"Alice@case.example" = {}
"alice@off.example" = {}
[accounts.bob.destinations]
"postmaster@list.example" = {}
"""


def index_of(text: str) -> AddressIndex:
    report = Report()
    static = read_table(Static, tomllib.loads((DATA / "moxpy.toml").read_text()), (), report)
    index = index_addresses(static, read_table(Domains, tomllib.loads(text), (), report), report)
    assert report.errors == []
    return index


@pytest.fixture(scope="module")
def index() -> AddressIndex:
    return index_of(DOMAINS)


def path(text: str) -> Path | Address:
    return Path("postmaster", None) if text == "postmaster" else parse_address(text)


@pytest.mark.parametrize(
    ("text", "key", "mailbox"),
    [
        pytest.param("alice@example.org", "alice@example.org", "Inbox", id="exact"),
        pytest.param("ALICE@EXAMPLE.org", "alice@example.org", "Inbox", id="case"),
        pytest.param("alice+x@example.org", "alice@example.org", "Inbox", id="separator"),
        pytest.param("alice--x+y@example.org", "alice@example.org", "Inbox", id="two separators"),
        pytest.param("jose\u0301@example.org", "josé@example.org", "Inbox", id="NFD"),
        pytest.param("JOSÉ@example.org", "josé@example.org", "Inbox", id="NFC upper case"),
        pytest.param("\u2126mega@example.org", "ωmega@example.org", "Inbox", id="ohm sign"),
        pytest.param("dmarc+reports@example.org", "dmarc+reports@example.org", "DMARC", id="report with separator"),
        pytest.param("tls+x@xn--bcher-kva.example", "@bücher.example", "Catchall", id="catch-all by A-label"),
        pytest.param("a@xn--bcher-kva.example", "a@bücher.example", "Books", id="A-label"),
        pytest.param("TLS@example.org", "tls@example.org", "TLSRPT", id="report of another domain"),
        pytest.param("Alice@case.example", "Alice@case.example", "Inbox", id="case-sensitive"),
        pytest.param("postmaster", "postmaster", "Postmaster", id="bare postmaster"),
        pytest.param("PostMaster@mx.example.org", "postmaster", "Postmaster", id="postmaster of the host"),
        pytest.param("postmaster@example.org", "postmaster", "Postmaster", id="postmaster of a domain"),
        pytest.param("PostMaster+x@example.org", "postmaster", "Postmaster", id="postmaster with separator"),
        pytest.param("POSTMASTER@case.example", "postmaster", "Postmaster", id="postmaster in any case"),
        pytest.param(
            "PostMaster-x@case.example", "postmaster", "Postmaster", id="postmaster with separator in any case"
        ),
        pytest.param("alice+--x@example.org", "alice@example.org", "Inbox", id="separators side by side"),
        pytest.param("Alice-a-b@case.example", "Alice@case.example", "Inbox", id="cut at the first"),
        pytest.param("+x@bücher.example", "@bücher.example", "Catchall", id="nothing before the separator"),
        pytest.param('""@bücher.example', "@bücher.example", "Catchall", id="empty localpart"),
        pytest.param("Postmaster@list.example", "postmaster@list.example", "Inbox", id="own postmaster"),
        pytest.param("TLSreports@mx.example.org", "tlsreports@mx.example.org", "TLSRPT", id="host report address"),
    ],
)
def test_found(index: AddressIndex, text: str, key: str, mailbox: str) -> None:
    found = index.lookup(path(text))
    assert isinstance(found, Found)
    assert (found.address_key, found.destination.default_mailbox) == (key, mailbox)
    assert found.is_catchall == key.startswith("@")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("nobody@example.org", Unknown, id="unknown"),
        pytest.param("оmega@example.org", Unknown, id="homograph"),
        pytest.param("аlice@example.org", Unknown, id="Cyrillic a"),
        pytest.param("+x@example.org", Unknown, id="nothing before the separator"),
        pytest.param('""@example.org', Unknown, id="empty localpart"),
        pytest.param("alice@case.example", Unknown, id="other case"),
        pytest.param("team@example.org", FoundAlias, id="alias"),
        pytest.param("Team+x@example.org", FoundAlias, id="alias with separator"),
        pytest.param("all@list.example", FoundAlias, id="domain of aliases only"),
        pytest.param("alice@off.example", Disabled, id="disabled"),
        pytest.param("tls@parked.example", NotLocal, id="reports only"),
        pytest.param("alice@other.example", NotLocal, id="other domain"),
        pytest.param("alice@mx.example.org", NotLocal, id="host"),
    ],
)
def test_not_an_account(index: AddressIndex, text: str, kind: type) -> None:
    assert isinstance(index.lookup(path(text)), kind)


def test_literal_is_not_local(index: AddressIndex) -> None:
    from ipaddress import ip_address

    literal = IPLiteral(ip_address("192.0.2.10"))  # type: ignore[arg-type]
    assert isinstance(index.lookup(Path("alice", literal)), NotLocal)
    assert isinstance(index.lookup(Path("postmaster", literal)), NotLocal)


@pytest.mark.parametrize(
    ("text", "account"),
    [
        pytest.param("alice+app@example.org", "alice", id="with separator"),
        pytest.param("alice@off.example", "alice", id="disabled domain"),
        pytest.param("any@bücher.example", "alice", id="catch-all"),
        pytest.param("team@example.org", None, id="alias"),
        pytest.param("postmaster", None, id="bare postmaster"),
        pytest.param("postmaster@mx.example.org", None, id="postmaster of the host"),
        pytest.param("postmaster@example.org", None, id="postmaster fallback"),
    ],
)
def test_login(index: AddressIndex, text: str, account: str | None) -> None:
    found = index.lookup(path(text), for_login=True)
    assert (found.account if isinstance(found, Found) else None) == account


def test_every_address_is_found_and_canonical_is_stable(index: AddressIndex) -> None:
    for (localpart, host), found in index.addresses.items():
        entry = index.domains[host]
        assert entry.canonical(localpart) == localpart
        for spelling in (found.written, unicodedata.normalize("NFD", found.written), found.address_key):
            assert index.lookup(parse_address(spelling), for_login=True) is found


@pytest.mark.parametrize(
    ("text", "key", "own"),
    [
        pytest.param("ALICE--x@example.org", "alice@example.org", True, id="address"),
        pytest.param("Team+x@example.org", "team@example.org", False, id="alias"),
        pytest.param("nobody@example.org", "nobody@example.org", False, id="nobody"),
        pytest.param("any@xn--bcher-kva.example", "any@bücher.example", False, id="catch-all"),
        pytest.param("alice@off.example", "alice@off.example", True, id="disabled domain"),
        pytest.param("alice@other.example", None, False, id="other domain"),
    ],
)
def test_key_and_own(index: AddressIndex, text: str, key: str | None, own: bool) -> None:
    address = parse_address(text)
    assert index.key(address) == key
    found = index.own(address)
    assert (found is not None) == own
    assert found is None or found.address_key == key


def test_removing_and_adding_restores(index: AddressIndex) -> None:
    without = index_of(DOMAINS.replace('"josé@example.org" = {}\n', ""))
    assert isinstance(without.lookup(parse_address("josé@example.org")), Unknown)
    assert without != index
    assert index_of(DOMAINS) == index


def test_report_addresses_may_be_shared(index: AddressIndex) -> None:
    shared = index_of(
        DOMAINS.replace(
            '[domains."bücher.example"]',
            '[domains."bücher.example"]\n'
            'dmarc = { localpart = "tls", domain = "example.org", account = "alice", mailbox = "TLSRPT" }',
        )
    )
    found = shared.lookup(parse_address("tls@example.org"))
    assert isinstance(found, Found)
    assert found.reports == {"dmarc", "tls"}
