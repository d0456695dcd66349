"""What a look-up may cost, and how long answers are kept. Sizes in octets, times in seconds."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the look-ups over the network."""

    #: What we say we take in one UDP packet, so that none is cut to pieces on the way (RFC 6891 §6.2.5).
    udp_octets: int
    #: Records in all sections of one answer; one with more is refused unread.
    records: int
    #: A longer answer is taken apart in a thread.
    inline_octets: int
    #: Answers with the wrong id or question before we ask by TCP: somebody guesses (RFC 5452 §9).
    strangers: int
    #: CNAMEs in a row.
    aliases: int
    #: Questions under way at the same time; more wait.
    exchanges: int
    #: Answers kept.
    cached: int
    #: However long the owner of a name would have them kept.
    keep_seconds: float
    #: The same for denials (RFC 2308 §5).
    keep_denial_seconds: float
    #: For answers with TTL 0 and denials without SOA, which say nothing about being kept: those who ask at the same
    #: moment share them.
    keep_least_seconds: float
    #: Failures, so that a dead server is not asked again by every message (RFC 2308 §7).
    keep_failure_seconds: float
    #: A server that did not answer is asked last for so long.
    shun_seconds: float
    #: resolv.conf is looked at no more often.
    reread_seconds: float
    #: Until we find out anew whether the resolver validates.
    probe_seconds: float
    #: The same while nobody vouches.
    probe_again_seconds: float
    #: The same when we could not find out.
    probe_soon_seconds: float


@dataclass(frozen=True, slots=True)
class ValidationLimits:
    """What checking one answer may cost; a zone that needs more is bogus (the KeyTrap attack, CVE-2023-50387)."""

    #: Signatures checked for one answer, with all the keys that lead to it.
    signatures: int
    #: Signatures tried for one set of records.
    signatures_by_set: int
    #: Keys with the same tag tried for one signature.
    keys_by_tag: int
    #: Keys in one zone.
    keys: int
    #: Records asked for on the way to one answer.
    questions: int
    #: NSEC3 with more iterations proves nothing, and its zone counts as unsigned (RFC 9276 §3.2).
    nsec3_iterations: int
    #: NSEC3 hashes computed for one answer.
    hashes: int
    #: What is known of a zone is kept no longer.
    keep_zone_seconds: float
    #: Zones kept.
    zones: int


NETWORK: Final = Limits(
    udp_octets=1232,
    records=500,
    inline_octets=4096,
    strangers=10,
    aliases=10,
    exchanges=200,
    cached=20_000,
    keep_seconds=24 * 3600,
    keep_denial_seconds=3600,
    keep_least_seconds=1,
    keep_failure_seconds=15,
    shun_seconds=30,
    reread_seconds=2,
    probe_seconds=3600,
    probe_again_seconds=300,
    probe_soon_seconds=30,
)
VALIDATION: Final = ValidationLimits(
    signatures=64,
    signatures_by_set=8,
    keys_by_tag=2,
    keys=32,
    questions=64,
    nsec3_iterations=100,
    hashes=100,
    keep_zone_seconds=3600,
    zones=4096,
)
