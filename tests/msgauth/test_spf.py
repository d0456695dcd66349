"""SPF beyond the suite of the RFC: limits, identities, what a result says besides its status."""

from ipaddress import ip_address
from typing import Any

import pytest
import trio
from hypothesis import given, settings, strategies as st

from appliance.dns.answers import MX, Answer, Type
from appliance.dns.problems import Temporary
from appliance.dns.resolver import Resolver
from appliance.dns.table import Table
from appliance.mail.address import NULL_PATH, Path
from appliance.mail.domain import Domain, IPLiteral, parse_domain
from appliance.msgauth.results import SPF, Identity
from appliance.msgauth.spf import check as spf, macros, record
from appliance.msgauth.spf.macros import MacroError
from appliance.msgauth.spf.record import SPFRecordError

IP, SIX = ip_address("192.0.2.1"), ip_address("2001:db8::cb01")
HELO = parse_domain("mail.sender.example")


def txt(text: str, **more: Any) -> dict[Type, list[Any]]:
    return {Type.TXT: [text], **{Type[name]: records for name, records in more.items()}}


def sender(text: str = "bob@example.org") -> Path:
    localpart, _, domain = text.rpartition("@")
    return Path(localpart, parse_domain(domain))


async def ask(
    records: dict[str, Any], path: Path | None = None, *, ip: Any = IP, helo: Any = HELO, **options: Any
) -> SPF:
    resolver = Resolver(Table(records, **options))
    return await spf.check(resolver, spf.of_path(ip, sender() if path is None else path, helo, "mx.receiver.example"))


def voids(count: int) -> dict[str, Any]:
    return {"example.org": txt("v=spf1 " + " ".join(f"a:no{n}.example.net" for n in range(count)) + " +all")}


def includes(count: int, last: str = "+all") -> dict[str, Any]:
    terms = " ".join(f"include:i{n}.example.net" for n in range(count))
    zone = {f"i{n}.example.net": txt("v=spf1 -all") for n in range(count)}
    return {"example.org": txt(f"v=spf1 {terms} {last}"), "more.example": txt("v=spf1 +all"), **zone}


def exchanges(count: int) -> dict[str, Any]:
    hosts = {f"mx{n}.example.org": {Type.A: [ip_address(f"198.51.100.{n + 1}")]} for n in range(count)}
    return {"example.org": txt("v=spf1 mx -all", MX=[MX(n, f"mx{n}.example.org") for n in range(count)]), **hosts}


def reverse(count: int) -> dict[str, Any]:
    """The last name of the client alone leads back to it."""
    names = [f"n{n}.example.org" for n in range(count)]
    return {
        "example.org": txt("v=spf1 ptr -all"),
        IP.reverse_pointer: {Type.PTR: names},
        names[-1]: {Type.A: [IP]},
    }


CHAIN: dict[str, Any] = {f"r{n}.example": txt(f"v=spf1 redirect=r{n + 1}.example") for n in range(12)}


@pytest.mark.parametrize(
    ("records", "status"),
    [
        pytest.param({}, "none", id="no such domain"),
        pytest.param({"example.org": {Type.A: [IP]}}, "none", id="no TXT"),
        pytest.param({"example.org": txt("v=spf2 -all")}, "none", id="no SPF record"),
        pytest.param({"example.org": {Type.TXT: ["v=spf1 -all", "v=spf1 +all"]}}, "permerror", id="two records"),
        pytest.param({"example.org": {Type.TXT: ["other", "v=spf1 +all"]}}, "pass", id="one among other texts"),
        pytest.param({"example.org": txt("v=spf1")}, "neutral", id="nothing matches"),
        pytest.param({"example.org": txt("v=spf1 ~all")}, "softfail", id="softfail"),
        pytest.param({"example.org": txt("v=spf1 +all oops")}, "permerror", id="error behind a match"),
        pytest.param({"example.org": txt("v=spf1 redirect=none.example")}, "permerror", id="redirect to no record"),
        pytest.param({"example.org": txt("v=spf1 include:none.example -all")}, "permerror", id="include of no record"),
        pytest.param(voids(2), "pass", id="two void look-ups"),
        pytest.param(voids(3), "permerror", id="three void look-ups"),
        pytest.param(includes(10), "pass", id="ten look-ups"),
        pytest.param(includes(11), "permerror", id="eleven look-ups"),
        pytest.param(includes(9, "redirect=more.example"), "pass", id="nine and a redirect"),
        pytest.param(includes(10, "redirect=more.example"), "permerror", id="ten and a redirect"),
        # RFC 7208 §6.1: with `all` a redirect is ignored, wherever it stands.
        pytest.param(includes(10, "redirect=more.example +all"), "pass", id="ten, and a redirect that does not count"),
        pytest.param(exchanges(10), "fail", id="ten mail exchanges"),
        pytest.param(exchanges(11), "permerror", id="eleven mail exchanges"),
        pytest.param(reverse(10), "pass", id="the tenth name leads back"),
        pytest.param(reverse(11), "fail", id="an eleventh name is not looked at"),
        pytest.param({"example.org": txt("v=spf1 redirect=example.org")}, "permerror", id="a redirect to itself ends"),
        pytest.param({"example.org": txt("v=spf1 include:example.org -all")}, "permerror", id="an include of itself"),
        pytest.param({**CHAIN, "example.org": txt("v=spf1 redirect=r0.example")}, "permerror", id="a long chain"),
        pytest.param(
            {"example.org": txt("V=SPF1 REDIRECT=B.example"), "b.example": txt("v=spf1 +ALL")}, "pass", id="case"
        ),
        pytest.param({"example.org": txt("v=spf1 x=1 x=1 +all")}, "pass", id="unknown modifiers, twice the same"),
        pytest.param(
            {"example.org": txt("v=spf1 a:%{d2}.example.net -all"), "example.org.example.net": {Type.A: [IP]}},
            "pass",
            id="macro in a",
        ),
        pytest.param({"example.org": txt("v=spf1 exists:%{p}.a.example -all")}, "fail", id="no validated name"),
        pytest.param({"example.org": txt("v=spf1 " + "ip4:198.51.100.1 " * 700)}, "permerror", id="endless record"),
    ],
)
async def test_status(records: dict[str, Any], status: str) -> None:
    assert (await ask(records)).status == status


@pytest.mark.parametrize("inner", ["+all", "-all", "~all", "?all", "oops", None])
async def test_what_an_include_makes_of_a_result(inner: str | None) -> None:
    zone = {"example.org": txt("v=spf1 ~include:in.example ?all")}
    if inner is not None:
        zone["in.example"] = txt(f"v=spf1 {inner}")
    expected = {"+all": "softfail", "oops": "permerror", None: "permerror"}.get(inner, "neutral")
    assert (await ask(zone)).status == expected


@pytest.mark.parametrize(
    ("failing", "status"),
    [
        (("example.org", Type.TXT), "temperror"),
        (("in.example", Type.TXT), "temperror"),
        (("a.example", Type.A), "temperror"),
        # RFC 7208 §5.5: a client's own reverse zone that does not answer matches nothing, that is all.
        ((IP.reverse_pointer, Type.PTR), "fail"),
    ],
)
async def test_no_answer(failing: tuple[str, Type], status: str) -> None:
    zone = {
        "example.org": txt("v=spf1 ptr include:in.example a:a.example -all"),
        "in.example": txt("v=spf1 -all"),
        "a.example": {Type.A: [ip_address("198.51.100.1")]},
    }
    found = await ask(zone, failing=[failing])
    assert found.status == status
    assert bool(found.text) == (status == "temperror")


async def test_a_failing_domain_is_bounded_in_time(autojump_clock: trio.testing.MockClock) -> None:
    class Silent:
        async def ask(self, name: str, type: Type, *, dnssec: bool) -> Answer[Any]:
            await trio.sleep_forever()

        async def watch(self) -> None: ...

    began = trio.current_time()
    found = await spf.check(Resolver(Silent()), spf.of_path(IP, sender(), HELO, "here"))
    assert (found.status, trio.current_time() - began) == ("temperror", spf.CHECK_SECONDS)


@pytest.mark.parametrize(
    ("path", "helo", "identity", "status"),
    [
        pytest.param(sender(), HELO, Identity.MAILFROM, "pass", id="MAIL FROM"),
        pytest.param(Path("", parse_domain("example.org")), HELO, Identity.MAILFROM, "pass", id="no localpart"),
        pytest.param(NULL_PATH, HELO, Identity.HELO, "softfail", id="null path"),
        pytest.param(NULL_PATH, IPLiteral(IP), Identity.HELO, "none", id="null path, address literal"),
        pytest.param(NULL_PATH, None, Identity.HELO, "none", id="null path, no HELO"),
        pytest.param(NULL_PATH, parse_domain("laptop"), Identity.HELO, "none", id="null path, no full name"),
        pytest.param(Path("bob", IPLiteral(IP)), HELO, Identity.MAILFROM, "none", id="address literal"),
        pytest.param(sender("bob@localhost"), HELO, Identity.MAILFROM, "pass", id="this machine has a record"),
        pytest.param(sender("bob@com"), HELO, Identity.MAILFROM, "none", id="a top-level domain has none"),
        pytest.param(sender("bob@bücher.example"), HELO, Identity.MAILFROM, "pass", id="U-labels"),
    ],
)
async def test_identity(path: Path, helo: Any, identity: Identity, status: str) -> None:
    zone = {
        "example.org": txt("v=spf1 exists:%{l}.users.example -all"),
        "bob.users.example": {Type.A: [IP]},
        "postmaster.users.example": {Type.A: [IP]},
        "mail.sender.example": txt("v=spf1 ~all"),
        "laptop": txt("v=spf1 +all"),
        "com": txt("v=spf1 +all"),
        "localhost": txt("v=spf1 +all"),
        "xn--bcher-kva.example": txt("v=spf1 +all"),
    }
    found = await ask(zone, path, helo=helo)
    assert (found.identity, found.status) == (identity, status)


@pytest.mark.parametrize(
    ("ip", "status"),
    [
        ("192.0.2.9", "pass"),
        ("::ffff:192.0.2.9", "pass"),
        ("2001:db8:1:2::9", "pass"),
        ("2001:db8:1:3::9", "fail"),
        ("198.51.100.7", "pass"),
        ("2001:db8:5::7", "pass"),
        ("2001:db8:6::7", "fail"),
    ],
)
async def test_families(ip: str, status: str) -> None:
    host = {Type.A: [ip_address("198.51.100.6")], Type.AAAA: [ip_address("2001:db8:5::1")]}
    zone = {
        "example.org": txt("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8:1:2::/64 a:h.example/31//48 -all"),
        "h.example": host,
    }
    assert (await ask(zone, ip=ip_address(ip))).status == status


@pytest.mark.parametrize(
    ("terms", "mechanism"),
    [
        ("a ip4:192.0.2.0/24 -all", "ip4:192.0.2.0/24"),
        ("a ?ALL", "?ALL"),
        ("a", "default"),
        ("include:in.example -all", "include:in.example"),
        ("redirect=in.example", "+all"),
    ],
)
async def test_mechanism(terms: str, mechanism: str) -> None:
    zone = {"example.org": txt(f"v=spf1 {terms}"), "in.example": txt("v=spf1 +all")}
    assert (await ask(zone)).mechanism == mechanism


@pytest.mark.parametrize(
    ("texts", "explanation"),
    [
        pytest.param(
            ["%{i} is not one of %{d}'s, says %{r}%_%%"],
            "192.0.2.1 is not one of example.org's, says mx.receiver.example %",
            id="macros",
        ),
        pytest.param(["see %{S}"], "see bob%40example.org", id="percent-encoded"),
        pytest.param(["%{oops}"], "", id="malformed"),
        pytest.param(["über"], "", id="beyond ASCII"),
        pytest.param(["one", "two"], "", id="two"),
        pytest.param(["a\x07b"], "", id="control character"),
        pytest.param(["x" * 2000], "x" * 800, id="long"),
        pytest.param([], "", id="none"),
    ],
)
async def test_explanation(texts: list[str], explanation: str) -> None:
    zone = {"example.org": txt("v=spf1 exp=why.%{d} -all"), "why.example.org": {Type.TXT: texts} if texts else {}}
    assert (await ask(zone)).explanation == explanation


async def test_explanations_are_asked_for_by_the_domain_itself_or_after_a_redirect() -> None:
    zone = {
        "example.org": txt("v=spf1 include:in.example -all"),
        "in.example": txt("v=spf1 -all exp=why.in.example"),
        "why.in.example": txt("the included one"),
        "redirected.example": txt("v=spf1 redirect=in.example exp=why.redirected.example"),
        "why.redirected.example": txt("the redirecting one"),
    }
    assert (await ask(zone)).explanation == ""
    assert (await ask(zone, sender("bob@redirected.example"))).explanation == "the included one"


async def test_a_localpart_beyond_ascii_matches_no_macro() -> None:
    zone = {
        "example.org": txt("v=spf1 exists:%{l}.x.example exists:%{s}.x.example exists:%{d}.y.example -all"),
        "*.x.example": {Type.A: [IP]},
        "example.org.y.example": {Type.A: [IP]},
    }
    assert (await ask(zone, sender("jürgen@example.org"))).mechanism == "exists:%{d}.y.example"


async def test_authentic_only_if_every_answer_is() -> None:
    zone = {
        "example.org": txt("v=spf1 a:none.example.org include:in.example -all"),
        "in.example": txt("v=spf1 +all"),
        "none.example.org": {},
    }
    names = set(zone)
    assert (await ask(zone, authentic=names)).authentic
    for name in names:
        assert not (await ask(zone, authentic=names - {name})).authentic


@pytest.mark.parametrize(
    ("zone", "options", "status", "authentic"),
    [
        pytest.param({"example.org": {}}, {"authentic": True}, "none", True, id="vouched for"),
        pytest.param({"example.org": {}}, {}, "none", False, id="not vouched for"),
        pytest.param({"example.org": txt("no record")}, {}, "none", False, id="another text"),
        pytest.param({}, {}, "none", False, id="no such domain"),
        pytest.param(
            {}, {"failing": [("example.org", Type.TXT)], "authentic": True}, "temperror", False, id="no answer"
        ),
    ],
)
async def test_what_is_missing_is_vouched_for_or_not(
    zone: dict[str, Any], options: dict[str, Any], status: str, authentic: bool
) -> None:
    found = await ask(zone, **options)
    assert (found.status.value, found.authentic) == (status, authentic)


async def test_lookup() -> None:
    resolver = Resolver(
        Table({"example.org": {Type.TXT: ["x", "v=spf1 -all"]}, "two.example": {Type.TXT: ["v=spf1", "v=spf1"]}})
    )
    answer = await spf.lookup(resolver, "example.org")
    assert answer is not None
    assert answer.records == ("v=spf1 -all",)
    assert await spf.lookup(resolver, "none.example") is None
    with pytest.raises(SPFRecordError):
        await spf.lookup(resolver, "two.example")
    with pytest.raises(Temporary):
        await spf.lookup(Resolver(Table({}, failing=[("example.org", Type.TXT)])), "example.org")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("v=spf1", "v=spf1"),
        ("V=SPF1  +A  -All ", "v=spf1 a -all"),
        (
            "v=spf1 a:example.com/24//64 mx//0 ?ptr ~exists:%{i}.example.com",
            "v=spf1 a:example.com/24//64 mx//0 ?ptr ~exists:%{i}.example.com",
        ),
        (
            "v=spf1 a/32//128 ip4:192.0.2.7/24 ip4:192.0.2.1/32 ip6:2001:DB8:0::1",
            "v=spf1 a ip4:192.0.2.0/24 ip4:192.0.2.1 ip6:2001:db8::1",
        ),
        ("v=spf1 exp=why.example.com foo=bar redirect=example.com", "v=spf1 redirect=example.com exp=why.example.com"),
        ("v=spf1 redirect=example.com -all", "v=spf1 -all"),
        ("v=spf1 a:%{d}/24", "v=spf1 a:%{d}/24"),
        ("v=spf1 include:a.example.com.", "v=spf1 include:a.example.com."),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    parsed = record.parse(text)
    assert str(parsed) == canonical
    assert str(record.parse(canonical)) == canonical


@pytest.mark.parametrize(
    "terms",
    [
        *("all:x", "all/8", "include", "include:", "include/24", "exists", "exists:", "a:", "a/", "a/33", "a//129"),
        *("a/024", "a//", "a/24/64", "a:foo", "a:foo/24", "mx:example.com:80", "a:exa mple", "ptr:", "ptr/24"),
        *("ip4", "ip4:", "ip4:192.0.2", "ip4:192.0.2.256", "ip4:192.0.2.0/33", "ip4:192.0.2.0/", "ip4:192.0.2.0/024"),
        *("ip4:2001:db8::1", "ip6:192.0.2.1", "ip6:2001:db8::1/129", "ip6:fe80::1%eth0", "ip6", "ip6::"),
        *("oops", "=x", "-", "+", "-?all", "!all", "redirect=", "redirect=foo", "redirect=a.b redirect=a.b", "exp="),
        *(
            "a:%",
            "a:%{",
            "a:%{x}",
            "a:%{d0}",
            "a:%{c}.example",
            "a:%(d)",
            "a:%{d",
            "x=%{",
            "a:example.123",
            "a:é.example",
        ),
        "a:" + "%{d}" * 1000,
        "ip4:198.51.100.1 " * 601,
    ],
)
def test_malformed(terms: str) -> None:
    with pytest.raises(SPFRecordError):
        record.parse(f"v=spf1 {terms}")


@pytest.mark.parametrize(
    ("string", "expansion"),
    [
        # RFC 7208 §7.4.
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net.", "example.com.trusted-domains.example.net"),
        # Labels that are too many go on the left (RFC 7208 §7.3).
        ("%{l}." + "abcdefghi." * 30 + "%{d2}", "abcdefghi." * 24 + "example.com"),
    ],
)
def test_macros(string: str, expansion: str) -> None:
    domain = "email.example.com"
    values = {
        "s": f"strong-bad@{domain}",
        "l": "strong-bad",
        "o": domain,
        "d": domain,
        "i": "192.0.2.3",
        "v": "in-addr",
    }
    assert macros.expand_domain(macros.parse(string), values) == expansion


@given(st.text(alphabet="%{}slodipvhcrt0123456789r.-+,/_=aX é\x00", max_size=40))
def test_any_macro_string(text: str) -> None:
    try:
        parsed = macros.parse_domain(text)
    except MacroError:
        return
    values = dict.fromkeys("slodipvhcrt", "a.b-c")
    assert len(macros.expand_domain(parsed, values)) <= 253 or "." not in text


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "mx",
                "all",
                "-",
                "?",
                ":",
                "/",
                "24",
                "//64",
                "ip4:",
                "192.0.2.1",
                "%{d}",
                "=",
                "redirect",
                "exp",
                " ",
                ".",
                "é",
                "include:x.example",
            ]
        ),
        max_size=20,
    )
)
@settings(deadline=None)
def test_any_record(pieces: list[str]) -> None:
    text = "v=spf1 " + "".join(pieces)
    try:
        parsed = record.parse(text)
    except SPFRecordError:
        return
    assert record.parse(str(parsed)) == record.parse(str(record.parse(str(parsed))))


def test_domains_are_their_own_type() -> None:
    assert spf.of_path(IP, sender(), HELO, "x").domain == Domain("example.org", "example.org")
