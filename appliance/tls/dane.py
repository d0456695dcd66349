"""What a host's zone says of its keys: TLSA records, where DNSSEC vouches for the whole way to them.

RFC 6698 and RFC 7672 §2. The way to the host is the caller's to find and to judge. Whether a certificate fits is for
`verify`.
"""

from dataclasses import dataclass
from typing import Final

import trio

from appliance.dns.answers import TLSA, Answer
from appliance.dns.problems import Bogus, InvalidName, LookupTimeout, NotFound, Temporary
from appliance.dns.resolver import Resolver
from appliance.tls.verify import is_usable

#: For all look-ups of a host.
LOOKUP_SECONDS: Final = 30.0
#: Of a host; each one may cost a check. Nobody has so many.
MOST_RECORDS: Final = 100

#: Results as reports about TLS name them (RFC 8460 §4.3.2.1).
TLSA_INVALID: Final = "tlsa-invalid"
DNSSEC_INVALID: Final = "dnssec-invalid"


@dataclass(frozen=True, slots=True)
class Way:
    """How a host was found."""

    #: In A-labels, as the MX has it, or the domain itself without MX.
    host: str
    #: The name that its CNAMEs led to; the same without.
    expanded: str
    #: DNSSEC vouches for the domain's own records, its MX, and the host's own: its addresses, or its CNAME.
    host_authentic: bool
    #: DNSSEC vouches for all of that, and for every CNAME on the way to the addresses.
    authentic: bool
    #: The domain that mail is for, and the name that its CNAMEs led to, as far as DNSSEC vouches for them.
    domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostKeys:
    """The zone has something to say, or nobody can tell: a host without is None."""

    #: Where the records are: the TLSA base domain.
    base: str
    #: Those that are usable. None: TLS is demanded, and nobody is verified (RFC 7672 §2.2).
    records: tuple[TLSA, ...] = ()
    #: Names one of which a certificate must have if an authority's record vouches for it (RFC 7672 §3.2.2).
    names: tuple[str, ...] = ()
    #: All there are, for reports.
    published: tuple[TLSA, ...] = ()
    #: Why they could not be looked up; the host must not be used then (RFC 7672 §2.1.2). Empty when they could.
    problem: str = ""
    #: What is wrong, as reports about TLS have it, and more precisely; empty when nothing is.
    result: str = ""
    reason: str = ""


async def keys_of(resolver: Resolver, way: Way, *, port: int = 25) -> HostKeys | None:
    """The keys of a host; None where it has none, or DNSSEC does not vouch for the way to it.

    Raises nothing: what fails is a `problem`.
    """
    base = way.host
    try:
        with trio.fail_after(LOOKUP_SECONDS):
            for base in _bases(way):
                answer = await _records(resolver, base, port)
                if answer is not None:
                    return _keys(base, answer, way)
    except (Temporary, trio.TooSlowError) as problem:
        return _unknown(base, problem)
    return None


def _bases(way: Way) -> list[str]:
    """The names to look below, in this order (RFC 7672 §2.2.3)."""
    bases = [way.expanded] if way.authentic else []
    if (way.host_authentic or way.authentic) and way.host not in bases:
        bases.append(way.host)
    return bases


async def _records(resolver: Resolver, base: str, port: int) -> Answer[TLSA] | None:
    """Authentic records. Raises Temporary: a zone that is signed must tell (RFC 7672 §2.1.2)."""
    try:
        # CNAMEs are followed, and the answer is authentic only if all of them are.
        answer = await resolver.tlsa(f"_{port}._tcp.{base}")
    except (NotFound, InvalidName):
        return None
    return answer if answer.authentic and (answer.records or answer.malformed) else None


def _keys(base: str, answer: Answer[TLSA], way: Way) -> HostKeys:
    published = answer.records[:MOST_RECORDS]
    usable = tuple(filter(is_usable, published))
    names = tuple(dict.fromkeys((base, way.host, *way.domains)))
    if usable:
        return HostKeys(base, usable, names, published)
    return HostKeys(base, (), names, published, result=TLSA_INVALID, reason="all-unusable-records+ignored")


def _unknown(base: str, problem: Exception) -> HostKeys:
    if isinstance(problem, Bogus):
        return HostKeys(base, problem=str(problem), result=DNSSEC_INVALID, reason="tlsa-bogus")
    if isinstance(problem, trio.TooSlowError | LookupTimeout):
        return HostKeys(base, problem="no answer in time", result=TLSA_INVALID, reason="tlsa-lookup-timeout")
    return HostKeys(base, problem=str(problem), result=TLSA_INVALID, reason="tlsa-lookup-failed")
