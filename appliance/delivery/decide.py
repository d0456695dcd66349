"""The decision about an incoming message for one account: what is known goes in, a verdict comes out.

Known senders get in by the account's own history and nothing else; strangers need a proper origin and good content.
What costs much is asked only when it matters: `decide` then returns an `Ask` instead of a verdict, and is called again
with the answer among the facts. The steps stand in the order in which a person would explain them.

A refusal for junk is for the time being and says nothing: who sends junk learns nothing, and who does not tries again,
perhaps after the reader has rescued the copy in his mailbox of rejects.
"""

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from appliance.config.domains import Ruleset
from appliance.delivery.junk import Score
from appliance.delivery.reputation import Method, Reputation, Signal
from appliance.mail.address import Address
from appliance.mail.domain import Domain
from appliance.mail.status import Status
from appliance.msgauth.dnsbl import Listing
from appliance.msgauth.results import AuthStatus, Checked, Validation
from appliance.store.records import INBOX

_MIB: Final = 1 << 20


class Reason(enum.StrEnum):
    """Why a message was accepted or refused: label of a counter, and first word of the header field that tells."""

    LIST_ALLOW = "list-allow"
    DMARC_POLICY = "dmarc-policy"
    MSG_AUTH_REQUIRED = "msg-auth-required"
    REPUTATION_ERROR = "reputation-error"
    REPORTING = "reporting"
    #: Of a delivery, about a message that the account sent.
    NOTICE = "notice"
    SPF_POLICY = "spf-policy"
    IPREV = "iprev"
    SUBJECTPASS = "subjectpass"
    SUBJECTPASS_ERROR = "subjectpass-error"
    GIVE_SUBJECTPASS = "give-subjectpass"
    JUNK_FILTER_ERROR = "junk-filter-error"
    JUNK_CLASSIFY_ERROR = "junk-classify-error"
    JUNK_CONTENT = "junk-content"
    JUNK_CONTENT_STRICT = "junk-content-strict"
    DNS_BLOCKLISTED = "dns-blocklisted"
    NO_BAD_SIGNALS = "no-bad-signals"
    HIGH_RATE = "high-rate"
    MSG_FROM_FULL = "msgfromfull"
    MSG_TO_FULL = "msgtofull"
    MSG_FROM_DOMAIN = "msgfromdomain"
    MSG_FROM_ORG_DOMAIN = "msgfromorgdomain"
    MSG_TO_DOMAIN = "msgtodomain"
    MSG_TO_ORG_DOMAIN = "msgtoorgdomain"
    DKIM_SPF = "dkimspf"
    IP1 = "ip1"
    IP2 = "ip2"
    IP3 = "ip3"
    NONE = "none"
    #: Nobody had to judge it: one of our users or the operator sent it, or a server that judges for us.
    LOCAL = "local"
    #: The account has it: it was refused, its reader took it out of the rejects, and its sender tries again.
    RESCUED = "rescued"


@dataclass(frozen=True, slots=True)
class NetworkLimits:
    """What one account takes from one network, in a minute and in the 24 hours before now."""

    messages_minute: int
    messages_day: int
    octets_minute: int
    octets_day: int


@dataclass(frozen=True, slots=True)
class Limits:
    """All numbers of the decision."""

    #: For the address or /64 of the client; its /26 or /48; its /21 or /32.
    networks: tuple[NetworkLimits, ...] = (
        NetworkLimits(500, 10_000, 1000 * _MIB, 3000 * _MIB),
        NetworkLimits(1500, 30_000, 3000 * _MIB, 9000 * _MIB),
        NetworkLimits(4500, 90_000, 9000 * _MIB, 27_000 * _MIB),
    )
    #: The threshold of the filter varies by so much, lest anybody measure it by trying.
    threshold_jitter: float = 0.05
    #: The threshold for messages that look odd otherwise.
    strict_threshold: float = 0.25
    #: A message that is junk by no more than this may come again with a token.
    token_margin: float = 0.2
    #: Of what others write into our explanation.
    foreign_characters: int = 200


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Rate:
    """What the account has from one network, without the message at hand."""

    messages_minute: int = 0
    messages_day: int = 0
    octets_minute: int = 0
    octets_day: int = 0


class Failed(enum.Enum):
    """A question that got no answer because of a fault of ours."""

    REPUTATION = enum.auto()
    FILTER = enum.auto()
    CLASSIFY = enum.auto()


class Ask(enum.Enum):
    """What must be known to go on; the answer belongs into the fact of that name."""

    REPUTATION = "reputation"
    CONTENT = "content"
    #: Of the lists in the fact `blocklists`.
    LISTINGS = "listings"


class Token(enum.Enum):
    """What a subject proves (`msgauth.subjectpass`)."""

    #: The account gives no tokens.
    OFF = enum.auto()
    #: None, or none that is valid.
    ABSENT = enum.auto()
    VALID = enum.auto()
    #: There is no key to check it with.
    FAILED = enum.auto()


class Override(enum.StrEnum):
    """Why the policy of From's domain was not followed (RFC 7489 appendix C)."""

    MAILING_LIST = "mailing_list"
    FORWARDED = "forwarded"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a message and of the account it is for; made again with each fact that is learnt."""

    checked: Checked
    #: What its reader should know beside, one line each.
    notes: tuple[str, ...] = ()
    is_tls: bool
    #: The address in RCPT is in To or Cc (`is_addressed`); it must be known when `content` is.
    is_addressed: bool
    #: The session uses SMTPUTF8: explanations may go beyond ASCII.
    smtputf8: bool = False
    size_octets: int
    #: What came from the client's networks, in the order of `Limits.networks`; None when nobody knows.
    rates: Sequence[Rate] | None = ()
    #: Where the destination's mail goes.
    mailbox: str = INBOX
    #: Where mail of strangers for the Inbox goes instead; empty for nowhere else.
    introbox: str = ""
    #: The first that matches.
    ruleset: Ruleset | None = None
    #: With what to refuse messages whose From nobody vouches for; empty to take them.
    auth_required_text: str = ""
    #: A DMARC or TLS report for us, and a good one.
    is_report: bool = False
    #: A notice about a message of the account, which its sender could not know of had it not been sent.
    is_returned: bool = False
    reputation: Reputation | Failed | None = None
    token: Token = Token.OFF
    #: Of the filter, from which a message is junk; None when the account has no filter.
    threshold: float | None = None
    content: Score | Failed | None = None
    #: From 0 up to 1, drawn anew for each decision.
    chance: float = 0.5
    blocklists: Sequence[Domain] = ()
    #: Of those lists that are in order.
    listings: Sequence[Listing] | None = None
    #: The account lets strangers wait.
    delays_strangers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """Keep the message."""

    reason: Reason
    mailbox: str
    #: The mailbox it would have gone to, if that is another.
    destined: str = ""
    #: One line for each step, for the reader.
    details: tuple[str, ...] = ()
    #: It would have been refused; it is marked as seen, not as junk.
    is_reject: bool = False
    is_mailing_list: bool = False
    is_forward: bool = False
    override: Override | None = None
    #: Wait a while before keeping it: spammers give up, and block lists hear of them meanwhile.
    delays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Do not take the message."""

    reason: Reason
    code: int
    status: Status
    text: str
    #: The mailbox it would have gone to.
    destined: str
    details: tuple[str, ...] = ()
    #: A copy may go to the account's mailbox of rejects.
    keeps_copy: bool = True
    #: Tell the sender a token, and what it is for.
    gives_token: bool = False
    is_forward: bool = False
    override: Override | None = None
    #: How it is counted.
    result: str = "reject"


Verdict = Accept | Refuse

_WEAK_METHODS: Final = {Method.DKIM_SPF, Method.IP1, Method.IP2, Method.IP3, Method.NONE}
_KNOWN_METHODS: Final = {Method.MSG_FROM_FULL, Method.MSG_TO_FULL}
_GENERIC: Final = "error processing"
_TEMPORARY: Final = Status(4, 3, 0)


def decide(facts: Facts, limits: Limits = DEFAULT_LIMITS) -> Verdict | Ask:
    """Accept or refuse one message for one account, or say what must be asked first."""
    return _Decision(facts, limits).run()


def is_addressed(rcpt: Address, recipients: Collection[Address]) -> bool:
    """Whether an address in RCPT is among those of To and Cc; one with an empty localpart always is."""
    return not rcpt.localpart or rcpt in recipients


@dataclass(slots=True)
class _Decision:
    """One run: the facts, and what has been told so far."""

    facts: Facts
    limits: Limits
    details: list[str] = field(default_factory=list)
    #: Where the message shall go.
    mailbox: str = ""
    destined: str = ""
    is_forward: bool = False
    near_threshold: bool = False
    is_listed: bool = False

    def run(self) -> Verdict | Ask:
        facts, checked = self.facts, self.facts.checked
        if (refused := self.by_rate()) is not None:
            return refused

        self.details += map(self.shown, facts.notes)
        ruleset = facts.ruleset
        self.mailbox = (ruleset.mailbox if ruleset else None) or facts.mailbox
        if ruleset is not None:
            self.tell(f"ruleset matches, mailbox {self.shown(self.mailbox)}")
            self.is_forward = ruleset.is_forward
        if ruleset is not None and (allowed := ruleset.list_allow_domain) is not None:
            if allowed.domain in checked.verified_domains:
                self.tell(f"mailing list of {allowed.domain.ascii}, verified")
                return self.accept(Reason.LIST_ALLOW)
            self.tell(f"mailing list of {allowed.domain.ascii}, but that is not verified")

        if self.is_forward:
            self.tell("forwarded, so the forwarding server and DMARC do not count")
        elif checked.dmarc.rejects:
            self.tell("the policy of the domain in From (DMARC) asks to refuse")
            return self.refuse(Reason.DMARC_POLICY, 550, Status(5, 7, 26), "refused by the DMARC policy of From")
        if facts.auth_required_text and not checked.msg_from_validated:
            return self.unauthenticated()
        if facts.is_returned:
            self.tell("a notice about a message that was sent from this account")
            return self.accept(Reason.NOTICE)

        known = facts.reputation
        if known is None:
            return Ask.REPUTATION
        if isinstance(known, Failed):
            self.tell("the history of the sender could not be read")
            return self.refuse(Reason.REPUTATION_ERROR)
        sure = "decides" if known.is_conclusive else "does not decide"
        self.tell(f"reputation {known.signal} by {known.method}, {sure}: {self.shown(known.text)}")
        intended = self.mailbox
        if (
            facts.introbox
            and intended == INBOX
            and known.method not in _KNOWN_METHODS
            and not self.is_forward
            and not facts.is_report
        ):
            self.destined, self.mailbox = intended, facts.introbox
        if known.is_conclusive:
            reason = Reason(known.method.value)
            return self.accept(reason) if known.signal is Signal.HAM else self.refuse(reason)
        if facts.is_report:
            self.tell("a report for this server")
            return self.accept(Reason.REPORTING)
        return self.stranger(known)

    def by_rate(self) -> Refuse | None:
        """Too much from one network: nothing of it is kept, or the disk would fill."""
        facts = self.facts
        if facts.rates is None:
            self.tell("the rates of messages could not be read")
            return self.too_much(Reason.REPUTATION_ERROR, 451, _TEMPORARY, _GENERIC, "checkrates")
        for number, (rate, limit) in enumerate(zip(facts.rates, self.limits.networks, strict=False), 1):
            if (
                rate.messages_minute >= limit.messages_minute
                or rate.messages_day >= limit.messages_day
                or rate.octets_minute + facts.size_octets > limit.octets_minute
                or rate.octets_day + facts.size_octets > limit.octets_day
            ):
                self.tell(f"too many messages or octets from network {number} of the sender")
                text = "too many messages from your network"
                return self.too_much(Reason.HIGH_RATE, 452, Status(4, 2, 2), text, "highrate")
        return None

    def too_much(self, reason: Reason, code: int, status: Status, text: str, result: str) -> Refuse:
        return Refuse(
            reason=reason,
            code=code,
            status=status,
            text=text,
            destined=self.facts.mailbox,
            details=tuple(self.details),
            keeps_copy=False,
            result=result,
        )

    def unauthenticated(self) -> Verdict:
        text = self.facts.auth_required_text
        self.tell("this address only takes messages whose From is verified")
        if self.facts.checked.dmarc.status is AuthStatus.TEMPERROR:
            text = f"DMARC could not be checked: {text}"
            return self.refuse(Reason.MSG_AUTH_REQUIRED, 451, Status(4, 7, 26), text)
        return self.refuse(Reason.MSG_AUTH_REQUIRED, 550, Status(5, 7, 26), text)

    def stranger(self, known: Reputation) -> Verdict | Ask:
        """The history is silent, or of two minds."""
        facts, checked = self.facts, self.facts.checked
        is_suspicious = False
        if known.method in _WEAK_METHODS:
            if checked.mail_from_validation in {Validation.FAIL, Validation.SOFTFAIL}:
                self.tell(f"SPF of MAIL FROM: {checked.spf.status}")
                return self.refuse(Reason.SPF_POLICY)
            is_suspicious = checked.iprev.status is not AuthStatus.PASS
            if is_suspicious:
                self.tell(f"reverse name of the sending host: {checked.iprev.status}")
                if known.signal is Signal.JUNK:
                    return self.refuse(Reason.IPREV)
        if facts.token is Token.FAILED:
            self.tell("the key for tokens in subjects could not be read")
            return self.refuse(Reason.SUBJECTPASS_ERROR)
        if facts.token is Token.VALID:
            self.tell("valid token in the subject")
            return self.accept(Reason.SUBJECTPASS)

        bad = self.by_content(is_suspicious=is_suspicious)
        if isinstance(bad, Ask):
            return bad
        if bad is None and facts.blocklists:
            if facts.listings is None:
                return Ask.LISTINGS
            bad = self.by_listings(facts.listings)
        if bad is None:
            return self.accept(Reason.NO_BAD_SIGNALS)
        may_return = checked.dmarc.status is AuthStatus.PASS and known.method is Method.NONE
        if facts.token is Token.ABSENT and may_return and (self.is_listed or self.near_threshold):
            self.tell(f"may come again with a token in the subject; else {bad}")
            return self.refuse(Reason.GIVE_SUBJECTPASS, 550, Status(5, 7, 1), "message looks like junk")
        return self.refuse(bad)

    def by_content(self, *, is_suspicious: bool) -> Reason | Ask | None:
        """What is wrong with the words; None for nothing."""
        facts, limits = self.facts, self.limits
        if facts.threshold is None:
            self.tell("no junk filter")
            return None
        content = facts.content
        if content is None:
            return Ask.CONTENT
        if isinstance(content, Failed):
            self.tell("the junk filter does not work")
            return Reason.JUNK_FILTER_ERROR if content is Failed.FILTER else Reason.JUNK_CLASSIFY_ERROR
        threshold = facts.threshold + limits.threshold_jitter * (2 * facts.chance - 1)
        strict = self.why_strict(is_suspicious=is_suspicious) if threshold > limits.strict_threshold else ""
        if strict:
            threshold = limits.strict_threshold
        is_good = content.probability <= threshold or (not content.significant and not is_suspicious)
        self.near_threshold = not is_good and content.probability <= threshold + limits.token_margin
        self.tell(
            f"content {'good' if is_good else 'junk'}{'' if content.significant else ' (not significant)'}"
            f" {content.probability:.2f}, threshold {threshold:.2f}{strict and f' (stricter: {strict})'}"
            f"{', Content-Type cannot be read' if content.malformed else ''}"
            f", ham words: {self.words(content.ham_words)}; spam words: {self.words(content.spam_words)}"
        )
        if is_good:
            return None
        return Reason.JUNK_CONTENT_STRICT if strict else Reason.JUNK_CONTENT

    def why_strict(self, *, is_suspicious: bool) -> str:
        """What makes us look closer at the words; empty for nothing."""
        if is_suspicious:
            return "suspicious reverse name"
        if not self.facts.is_tls:
            return "no TLS"
        if not self.is_forward and not self.facts.is_addressed:
            return "recipient is not in To or Cc"
        return ""

    def by_listings(self, listings: Sequence[Listing]) -> Reason | None:
        found = [one for one in listings if one.status is AuthStatus.FAIL]
        for one in found:
            self.tell(f"listed by {one.zone.ascii}: {self.shown(one.explanation)}".rstrip(": "))
        self.is_listed = bool(found)
        return Reason.DNS_BLOCKLISTED if found else None

    def accept(self, reason: Reason) -> Accept:
        return Accept(
            reason=reason,
            mailbox=self.mailbox,
            destined=self.destined,
            details=tuple(self.details),
            is_mailing_list=reason is Reason.LIST_ALLOW,
            is_forward=self.is_forward,
            override=Override.MAILING_LIST if reason is Reason.LIST_ALLOW else self.override,
            delays=reason is Reason.NO_BAD_SIGNALS and not self.is_forward and self.facts.delays_strangers,
        )

    def refuse(self, reason: Reason, code: int = 451, status: Status = _TEMPORARY, text: str = _GENERIC) -> Verdict:
        """Not to be taken, unless the account wants to see such messages in some mailbox."""
        destined, ruleset = self.destined or self.mailbox, self.facts.ruleset
        if ruleset is not None and ruleset.accept_rejects_to_mailbox:
            self.tell("refused, but the ruleset accepts it to another mailbox")
            return Accept(
                reason=reason,
                mailbox=ruleset.accept_rejects_to_mailbox,
                destined=destined,
                details=tuple(self.details),
                is_reject=True,
                is_forward=self.is_forward,
                override=self.override,
            )
        return Refuse(
            reason=reason,
            code=code,
            status=status,
            text=text,
            destined=destined,
            details=tuple(self.details),
            gives_token=reason is Reason.GIVE_SUBJECTPASS,
            is_forward=self.is_forward,
            override=self.override,
        )

    @property
    def override(self) -> Override | None:
        return Override.FORWARDED if self.is_forward else None

    def tell(self, line: str) -> None:
        self.details.append(line)

    def words(self, words: Sequence[tuple[str, float]]) -> str:
        return ", ".join(f"{self.shown(word)} {score:.3f}" for word, score in words) or "none"

    def shown(self, text: str) -> str:
        """What others wrote, fit for a line of a header: no control characters, not too long."""
        text = text[: self.limits.foreign_characters]
        if not text.isprintable():
            text = "".join(char if char.isprintable() else " " for char in text)
        if self.facts.smtputf8 or text.isascii():
            return text
        return " ".join(word if word.isascii() else "(non-ascii)" for word in text.split())
