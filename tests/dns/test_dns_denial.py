"""What NSEC and NSEC3 records prove, and what an attacker would like them to prove."""

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import pytest
from dns.dnssectypes import Algorithm
from dns.rdatatype import RdataType

from appliance.dns import denial, signatures
from appliance.dns.denial import Hashed, Owned, Proof
from support.signedzones import Key, Zone, delegation, name

ORG = name("org.")


def nsec(owner: str, following: str, types: str) -> Owned:
    text = f"{following} {types} RRSIG NSEC"
    return name(owner), dns.rdata.from_text(dns.rdataclass.IN, RdataType.NSEC, text)


APEX = nsec("org.", "a.org.", "NS SOA DNSKEY")
PLAIN = nsec("a.org.", "m.org.", "A")
CUT = nsec("m.org.", "p.org.", "NS")
TREE = nsec("p.org.", "r.org.", "DNAME")
ALIAS = nsec("r.org.", "x.y.t.org.", "CNAME")
DEEP = nsec("x.y.t.org.", "*.w.org.", "A")
WILD = nsec("*.w.org.", "b.w.org.", "A")
CLOSER = nsec("b.w.org.", "z.org.", "TXT")
LAST = nsec("z.org.", "org.", "A")


@pytest.mark.parametrize(
    ("records", "asked", "rdtype", "proof"),
    [
        pytest.param([PLAIN], "a.org.", "MX", Proof.NO_DATA, id="no such type"),
        pytest.param([PLAIN], "a.org.", "A", None, id="the type is there"),
        pytest.param([ALIAS], "r.org.", "MX", None, id="an alias has every type (RFC 6840 §4.3)"),
        pytest.param([PLAIN, APEX], "c.org.", "A", Proof.NO_NAME, id="no such name, no wildcard"),
        pytest.param([PLAIN], "c.org.", "A", None, id="there may be a wildcard"),
        pytest.param([APEX], "c.org.", "A", None, id="not in this gap"),
        pytest.param([LAST, APEX], "zz.org.", "A", Proof.NO_NAME, id="behind the last"),
        pytest.param([ALIAS], "t.org.", "A", Proof.NO_DATA, id="only names below"),
        pytest.param([ALIAS], "y.t.org.", "A", Proof.NO_DATA, id="only names below, two labels"),
        pytest.param([DEEP, nsec("w.org.", "*.w.org.", "A")], "t.w.org.", "A", None, id="not over the name"),
        pytest.param([CLOSER, WILD], "c.w.org.", "MX", Proof.NO_DATA, id="the wildcard has no such type"),
        pytest.param([CLOSER, WILD], "c.w.org.", "A", None, id="the wildcard has the type"),
        # RFC 6840 §4.1: the parent knows nothing about what is below a cut.
        pytest.param([CUT], "m.org.", "A", None, id="cut: records of the child"),
        pytest.param([CUT], "m.org.", "DS", Proof.UNSIGNED_DELEGATION, id="cut: no DS"),
        pytest.param([CUT, APEX], "mx.m.org.", "A", None, id="cut: names of the child"),
        pytest.param([TREE, APEX], "mx.p.org.", "A", None, id="names below a DNAME"),
        # RFC 6840 §4.4: the child knows nothing about its DS.
        pytest.param([APEX], "org.", "DS", None, id="the apex about its own DS"),
        pytest.param([PLAIN], "a.org.", "DS", Proof.NO_DATA, id="no cut"),
    ],
)
def test_nsec(records: list[Owned], asked: str, rdtype: str, proof: Proof | None) -> None:
    assert denial.by_nsec(ORG, records, name(asked), RdataType.make(rdtype)) is proof


@pytest.mark.parametrize(
    ("records", "asked", "labels", "holds"),
    [
        pytest.param([CLOSER], "c.w.org.", 2, True, id="nothing closer"),
        pytest.param([CLOSER], "c.c.w.org.", 2, True, id="nothing closer, two labels"),
        pytest.param([CLOSER], "c.b.w.org.", 2, False, id="a closer name exists"),
        pytest.param([CLOSER], "c.w.org.", 1, False, id="the wildcard's parent is not the closest"),
        pytest.param([WILD], "c.w.org.", 2, False, id="another gap"),
    ],
)
def test_wildcard_by_nsec(records: list[Owned], asked: str, labels: int, holds: bool) -> None:
    assert denial.wildcard_by_nsec(ORG, records, name(asked), labels) is holds


# NSEC3.


def zone(**options: object) -> Zone:
    texts = [("mx", "A", ["192.0.2.1"]), ("*.wild", "A", ["192.0.2.2"]), ("alias", "CNAME", ["mx"])]
    made = Zone.make("three.test.", texts, keys=[Key()], nsec3=True, **options)
    made.records |= delegation(Zone.make("cut.three.test.", []))
    return made


def records(made: Zone, *names: str) -> list[Owned]:
    """The records at or over names."""
    return [(found.name, found[0]) for one in names for found in [made.denial([name(f"{one}three.test.")])[0]]]


def prove(found: list[Owned], asked: str, rdtype: str, *, iterations: int = 100) -> Proof | None:
    hashed = Hashed(name("three.test."), found, iterations=iterations, spend=lambda: None)
    return hashed.prove(name(f"{asked}three.test."), RdataType.make(rdtype))


@pytest.mark.parametrize(
    ("at", "asked", "rdtype", "proof"),
    [
        pytest.param(["mx."], "mx.", "MX", Proof.NO_DATA, id="no such type"),
        pytest.param(["mx."], "mx.", "A", None, id="the type is there"),
        pytest.param(["alias."], "alias.", "MX", None, id="an alias has every type"),
        pytest.param(["", "no.", "*."], "no.", "A", Proof.NO_NAME, id="no such name"),
        pytest.param(["", "no.", "*."], "below.no.", "A", Proof.NO_NAME, id="no such name, two labels"),
        pytest.param(["", "no."], "no.", "A", None, id="there may be a wildcard"),
        pytest.param(["", "*."], "no.", "A", None, id="the name may be there"),
        pytest.param(["no.", "*."], "no.", "A", None, id="no closest encloser"),
        pytest.param(["wild.", "no.wild.", "*.wild."], "no.wild.", "MX", Proof.NO_DATA, id="wildcard: no such type"),
        pytest.param(["wild.", "no.wild.", "*.wild."], "no.wild.", "A", None, id="wildcard: the type is there"),
        pytest.param(["cut."], "cut.", "A", None, id="cut: records of the child"),
        pytest.param(["cut."], "cut.", "DS", Proof.UNSIGNED_DELEGATION, id="cut: no DS"),
        pytest.param(["cut.", "mx.cut.", "*.cut."], "mx.cut.", "A", None, id="cut: names of the child"),
        pytest.param([""], "", "DS", None, id="the apex about its own DS"),
        pytest.param([], "no.", "A", None, id="nothing"),
    ],
)
def test_nsec3(at: list[str], asked: str, rdtype: str, proof: Proof | None) -> None:
    assert prove(records(zone(), *at), asked, rdtype) is proof


def test_what_is_not_understood_proves_nothing() -> None:
    """RFC 5155 §8.1, §8.2."""
    made = zone()
    (owner, record), *others = records(made, "mx.")
    assert not others
    assert prove([(owner, record.replace(algorithm=2))], "mx.", "MX") is None
    assert prove([(owner, record.replace(flags=2))], "mx.", "MX") is None
    below = name(owner.labels[0].decode() + ".mx.three.test.")
    assert prove([(below, record)], "mx.", "MX") is None


def test_opt_out() -> None:
    made = zone(opt_out=True)
    assert prove(records(made, "", "cut."), "cut.", "DS") is Proof.UNSIGNED
    assert prove(records(made, "mx."), "mx.", "MX") is Proof.NO_DATA


def test_iterations() -> None:
    """RFC 9276 §3.2."""
    made = zone(iterations=5)
    assert prove(records(made, "mx."), "mx.", "MX", iterations=5) is Proof.NO_DATA
    assert prove(records(made, "mx."), "mx.", "MX", iterations=4) is Proof.UNSIGNED


# Keys.


def rsa(exponent: bytes, octets: int = 256) -> bytes:
    length = bytes([len(exponent)]) if len(exponent) < 256 else b"\0" + len(exponent).to_bytes(2, "big")
    return length + exponent + b"\xff" * octets


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, True, id="usual"),
        pytest.param({"flags": 256}, True, id="signs the zone"),
        pytest.param({"flags": 1}, False, id="no key of a zone"),
        pytest.param({"flags": 257 | 128}, False, id="revoked"),
        pytest.param({"protocol": 4}, False, id="of another protocol"),
        pytest.param({"algorithm": 8, "key": rsa(b"\1\0\1")}, True, id="RSA"),
        pytest.param({"algorithm": 8, "key": rsa(b"\1" * 9)}, False, id="RSA: slow exponent"),
        pytest.param({"algorithm": 8, "key": rsa(b"\1" * 300)}, False, id="RSA: very long exponent"),
        pytest.param({"algorithm": 8, "key": rsa(b"\1\0\1", 513)}, False, id="RSA: more than 4096 bits"),
        pytest.param({"algorithm": 8, "key": b"\1\1"}, False, id="RSA: hardly anything"),
    ],
)
def test_usable_keys(changes: dict[str, object], expected: bool) -> None:
    assert signatures.usable(Key().public.replace(**changes)) is expected


def test_sha1_is_ignored_beside_better() -> None:
    """RFC 4509 §3: who forges one by the weaker digest gains nothing."""
    zone_name, key, other = name("secure.test."), Key(), Key()
    weak = dns.dnssec.make_ds(zone_name, other.public, "SHA1", policy=dns.dnssec.allow_all_policy)
    strong = dns.dnssec.make_ds(zone_name, key.public, "SHA256")
    keys = [key.public, other.public]
    assert signatures.keys_named(zone_name, [weak, strong], keys) == [key.public]
    assert signatures.keys_named(zone_name, [weak], keys) == [other.public]
    unknown = strong.replace(digest_type=99)
    assert signatures.keys_named(zone_name, [unknown], keys) == []
    assert signatures.supported([unknown, strong.replace(algorithm=Algorithm.RSAMD5)]) == []


def test_keys_with_the_same_tag() -> None:
    """Only so many are tried."""
    key = Key().public
    signature = type("RRSIG", (), {"algorithm": key.algorithm, "key_tag": key.key_id()})
    assert len(signatures._candidates([key] * 50, signature, 2)) == 2
