"""What the checks of a message found out, as values: one for each method, and all of them together.

The words are those of RFC 8601 §2.7. Whoever decides about a message, stores what was known of it or tells its reader
reads these and nothing else.
"""

import enum
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance.mail.address import Address
from appliance.mail.authres import AuthResults
from appliance.mail.domain import Domain
from appliance.msgauth.dmarc.record import Policy, Record


class AuthStatus(enum.StrEnum):
    """A result, as it stands in Authentication-Results. Not every method knows all of them."""

    #: Nothing to check: no record, no signature, no name.
    NONE = "none"
    #: There is something, but it says neither yes nor no.
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    SOFTFAIL = "softfail"
    #: Correct, but not good enough for us.
    POLICY = "policy"
    #: Nobody knows this time.
    TEMPERROR = "temperror"
    #: What others published cannot be understood; that stays so until they mend it.
    PERMERROR = "permerror"


class Validation(enum.IntEnum):
    """How far a name was vouched for. The numbers are stored with every message."""

    UNKNOWN = 0
    #: Of From: the domain itself is vouched for.
    STRICT = 1
    #: Of From: DMARC passes.
    DMARC = 2
    #: Of From: a domain of the same organization is vouched for, and there is no DMARC record.
    RELAXED = 3
    PASS = 4
    NEUTRAL = 5
    TEMPERROR = 6
    PERMERROR = 7
    FAIL = 8
    SOFTFAIL = 9
    NONE = 10


class IPRev(msgspec.Struct, frozen=True):
    """Whether the client's address has a name that leads back to it (RFC 8601 §3): pass, fail, temperror, permerror."""

    status: AuthStatus
    #: The name that does; empty unless pass.
    name: str = ""
    #: All the names looked at.
    names: tuple[str, ...] = ()
    #: What went wrong.
    text: str = ""
    authentic: bool = False


class Identity(enum.StrEnum):
    """Whose domain SPF was asked about (RFC 7208 §2.3, §2.4)."""

    MAILFROM = "mailfrom"
    HELO = "helo"


class SPF(msgspec.Struct, frozen=True):
    """Whether a domain lets the client use its name (RFC 7208 §2.6): all results but policy."""

    status: AuthStatus
    identity: Identity
    #: The domain asked; None where the client gave none that could be.
    domain: Domain | None
    #: The term of the record that decided; `default` when none did; empty when there was no record to decide.
    mechanism: str = ""
    #: Why, in the words of the domain's owner; only for fail. A claim of strangers: for logs, never for replies.
    explanation: str = ""
    #: What went wrong.
    text: str = ""
    #: Whether DNSSEC vouches for every answer it rests on.
    authentic: bool = False


class DKIMResult(msgspec.Struct, frozen=True):
    """One signature (RFC 6376 §3.9): none, pass, fail, policy, neutral, temperror, permerror."""

    status: AuthStatus
    #: d= and s=; None when the signature could not be read so far.
    domain: Domain | None
    selector: str = ""
    #: i=, as written; empty when absent.
    identity: str = ""
    #: a=, such as rsa-sha256.
    algorithm: str = ""
    #: Of an RSA key; 0 when there is none.
    key_bits: int = 0
    #: The key says that its domain is testing DKIM (t=y).
    testing: bool = False
    #: The signature leaves out the end of the body (l=).
    is_partial: bool = False
    #: What the key may be used for (s=), in lower case.
    services: tuple[str, ...] = ("*",)
    #: It is right, but its key is for reports about TLS and not for mail (RFC 8460 §3): no pass, except for those.
    is_for_reports: bool = False
    #: The first characters of b=, to tell signatures apart (RFC 6008).
    header_b: str = ""
    #: What is wrong with it.
    text: str = ""
    authentic: bool = False


@dataclass(frozen=True, slots=True)
class DMARC:
    """What the owner of From's domain says about the message (RFC 7489 §6.6): none, pass, fail, and the errors."""

    status: AuthStatus
    #: Where the record was found: From's domain, or that of its organization.
    policy_domain: Domain | None = None
    record: Record | None = None
    #: What the record asks for where the message fails: p=, or sp= for a subdomain. None without record.
    policy: Policy | None = None
    #: The message shall be refused: it fails, the policy is not none, and chance did not spare it (`sampled`).
    rejects: bool = False
    #: Whether the policy counts for this message: pct= leaves some out (RFC 7489 §6.6.4).
    sampled: bool = True
    spf_aligned: bool = False
    dkim_aligned: bool = False
    text: str = ""
    authentic: bool = False


@dataclass(frozen=True, slots=True)
class ARCSet:
    """What one server on the way added."""

    #: From 1, the first server that did.
    instance: int
    #: Who sealed it, d= and s=.
    domain: Domain
    selector: str
    #: What it had found out when the message arrived there; None when that cannot be read.
    results: AuthResults | None
    #: Nobody has changed what it signed when the message left it.
    is_intact: bool


@dataclass(frozen=True, slots=True)
class ARCResult:
    """The chain: none, pass or fail (RFC 8617 §4.4). Failures are final, those of the DNS too (RFC 8617 §5.2.1)."""

    status: AuthStatus
    #: The oldest first; empty unless the chain passes.
    sets: tuple[ARCSet, ...] = ()
    #: Why it fails.
    text: str = ""

    @property
    def oldest_pass(self) -> int:
        """The lowest instance from which on nothing was changed; 0: all of them (RFC 8617 §5.2)."""
        first = next((one.instance for one in self.sets if one.is_intact), 0)
        return 0 if first == 1 else first


_VALIDATIONS: Final = {
    AuthStatus.NONE: Validation.NONE,
    AuthStatus.NEUTRAL: Validation.NEUTRAL,
    AuthStatus.PASS: Validation.PASS,
    AuthStatus.FAIL: Validation.FAIL,
    AuthStatus.SOFTFAIL: Validation.SOFTFAIL,
    AuthStatus.POLICY: Validation.NONE,
    AuthStatus.TEMPERROR: Validation.TEMPERROR,
    AuthStatus.PERMERROR: Validation.PERMERROR,
}


@dataclass(frozen=True, slots=True)
class Checked:
    """Everything known about who sent one message."""

    #: The one address of From; None when there is none, or more than one.
    msg_from: Address | None
    #: The organizational domain of From.
    msg_from_org_domain: Domain | None
    iprev: IPRev
    #: Of MAIL FROM; for the null path that of HELO, which speaks for it (RFC 7208 §2.4).
    spf: SPF
    #: Of what the client called itself; the same as `spf` for the null path.
    helo_spf: SPF
    #: One for each signature, in the order of the header.
    dkim: tuple[DKIMResult, ...]
    dmarc: DMARC
    msg_from_validation: Validation
    arc: ARCResult = ARCResult(AuthStatus.NONE)

    @property
    def mail_from_validation(self) -> Validation:
        """Of the domain in MAIL FROM; UNKNOWN for the null path."""
        return _VALIDATIONS[self.spf.status] if self.spf.identity is Identity.MAILFROM else Validation.UNKNOWN

    @property
    def helo_validation(self) -> Validation:
        """Of the name the client gave itself."""
        return _VALIDATIONS[self.helo_spf.status]

    @property
    def mail_from_validated(self) -> bool:
        """Whether SPF vouches for MAIL FROM."""
        return self.mail_from_validation is Validation.PASS

    @property
    def helo_validated(self) -> bool:
        """Whether SPF vouches for the name in HELO."""
        return self.helo_validation is Validation.PASS

    @property
    def msg_from_validated(self) -> bool:
        """Whether anything vouches for From."""
        return self.msg_from_validation in {Validation.STRICT, Validation.DMARC, Validation.RELAXED}

    @property
    def dkim_domains(self) -> tuple[str, ...]:
        """The domains of passing signatures in U-labels, each once, in the order of the header."""
        passing = (one.domain for one in self.dkim if one.status is AuthStatus.PASS)
        return tuple(dict.fromkeys(domain.unicode for domain in passing if domain is not None))

    @property
    def verified_domains(self) -> frozenset[Domain]:
        """The domains that DKIM or SPF of MAIL FROM vouch for."""
        found = {one.domain for one in self.dkim if one.status is AuthStatus.PASS}
        if self.mail_from_validated:
            found.add(self.spf.domain)
        return frozenset(domain for domain in found if domain is not None)
