"""Whether the DNS lets an authority certify a name: CAA records (RFC 8659), with parameters of ACME (RFC 8657).

The authority looks for itself. We look first, so that the operator reads what to change, and no failure is counted.
"""

from collections.abc import Collection, Sequence
from typing import Final

from appliance.dns.answers import CAA
from appliance.dns.problems import InvalidName, NotFound, Temporary
from appliance.dns.resolver import Resolver

#: RFC 8659 §4.1: the bit of records that must be understood.
_CRITICAL: Final = 128
_KNOWN: Final = frozenset({"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"})


async def records(resolver: Resolver, name: str) -> tuple[str, tuple[CAA, ...]]:
    """The records that count for a name, and whose they are: the closest, going up (RFC 8659 §3).

    Raises Temporary.
    """
    at = name
    while at:
        try:
            found = await resolver.caa(at)
        except (NotFound, InvalidName):
            at = at.partition(".")[2]
            continue
        if found.malformed:
            raise Temporary(f"CAA records of {at} make no sense")
        return at, found.records
    return "", ()


def objection(
    found: Sequence[CAA],
    identities: Collection[str],
    *,
    account_url: str = "",
    methods: Collection[str] = (),
    wildcard: bool = False,
) -> str:
    """Why these records forbid it; empty when they do not.

    `identities`: the authority's names; `methods`: challenges that we can answer; `account_url`: empty when unknown;
    `wildcard`: a certificate for all names below the one the records are of is wanted.
    """
    unknown = [one.tag for one in found if one.flags & _CRITICAL and one.tag not in _KNOWN]
    if unknown:
        return f"a CAA record has the critical property {unknown[0][:50]!r}, which nobody knows"
    # RFC 8659 §4.3: where there are some for wildcards, the others do not count for these.
    tag = "issuewild" if wildcard and any(one.tag == "issuewild" for one in found) else "issue"
    issue = [_parsed(one.value) for one in found if one.tag == tag]
    if not issue:
        return ""
    ours = [parameters for issuer, parameters in issue if issuer in identities]
    if not ours:
        named = ", ".join(sorted({issuer for issuer, _ in issue if issuer})) or "nobody"
        return f"CAA records allow {named} to issue certificates, not {' or '.join(sorted(identities))}"
    why = ""
    for parameters in ours:
        uri, allowed = parameters.get("accounturi"), parameters.get("validationmethods")
        if uri is not None and account_url and uri != account_url:
            why = f"a CAA record allows the account {uri[:200]} only, ours is {account_url}"
        elif allowed is not None and methods and not {one.strip() for one in allowed.split(",")} & set(methods):
            why = f"a CAA record allows {allowed[:100]} only, we can do {', '.join(methods)}"
        else:
            return ""
    return why


def _parsed(value: str) -> tuple[str, dict[str, str]]:
    """An issuer, empty for nobody, and parameters (RFC 8659 §4.2)."""
    issuer, *rest = value.split(";")
    pairs = (one.partition("=") for one in rest if "=" in one)
    return issuer.strip().lower().removesuffix("."), {name.strip().lower(): text.strip() for name, _, text in pairs}
