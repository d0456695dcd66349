"""Judging a message for each account that would get it: facts are gathered, `decide` is asked until it knows.

Nothing is kept here and nothing refused: whoever calls acts on the verdicts. Each account is judged by its own history
(RFC 5321 §3.6.2 leaves such policies to us), one after the other; who sent the message is checked once for all.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import trio
from msgspec import structs

from appliance.base.limits import ADDRESSES
from appliance.base.log import Log
from appliance.config.domains import Ruleset
from appliance.delivery import facts, intake, junk, passes, reputation, returned, rulesets
from appliance.delivery.appliance import Appliance
from appliance.delivery.copies import AT_ONCE, Copy, Recipient
from appliance.delivery.decide import (
    Accept,
    Ask,
    Facts,
    Failed,
    Rate,
    Reason,
    Refuse,
    Token,
    decide,
    is_addressed,
)
from appliance.delivery.envelope import Envelope, Stranger
from appliance.delivery.intake import Accepted, NotAccepted
from appliance.delivery.reputation import Sender
from appliance.delivery.returned import Notice, Returned
from appliance.delivery.rulesets import Match
from appliance.mail import header
from appliance.mail.address import Address, AddressError, mailboxes, parse_list
from appliance.mail.domain import DomainError, parse_domain
from appliance.msgauth import check as checks, dnsbl
from appliance.msgauth.dnsbl import Listing
from appliance.msgauth.results import Checked
from appliance.store import reputation as stored
from appliance.store.history import networks
from appliance.store.prepare import Content
from appliance.store.spool import Spooled

log = Log("delivery")

#: For all block lists together; what is not known by then counts as not listed.
LISTINGS_SECONDS: Final = 30.0
#: For one of them, which then has to wait for its next turn.
LIST_SECONDS: Final = 10.0
#: Rules times octets of header up to which they are tried in the event loop.
INLINE_OCTETS: Final = 64 * 1024
#: Octets of To and Cc that are read there.
ADDRESSES_INLINE: Final = 4 * 1024


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that has come in, as far as it is the same for all who get it."""

    envelope: Envelope
    spooled: Spooled
    content: Content
    #: The address of From, when there is exactly one.
    msg_from: Address | None
    #: None when the sender is not to be judged.
    checked: Checked | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What shall become of one copy."""

    verdict: Accept | Refuse
    #: As its sender will be remembered.
    sender: Sender
    #: A report of others for us, to be kept with the message.
    report: Accepted | None = None
    #: Header fields that say why the message was not taken as a report.
    report_errors: bytes = b""
    #: What it says of a message that the account sent.
    returned: Returned | None = None
    #: What was known in the end; None when nobody had to judge.
    facts: Facts | None = None


class _Once:
    """What is found out about a message when the first of its copies needs it, and is the same for the others."""

    def __init__(self, app: Appliance, incoming: Incoming) -> None:
        self.app = app
        self.incoming = incoming
        spooled = incoming.spooled
        self.words = junk.Words(spooled.scanned, spooled.reader)
        self._reports: dict[str, Accepted | NotAccepted] = {}
        self._seen: rulesets.Incoming | None = None
        self._recipients: frozenset[Address] | None = None
        self._listings: list[Listing] | None = None
        self._notice: Notice | None = None
        self._has_read_notice = False

    async def ruleset(self, recipient: Recipient) -> Match:
        """The rule of the destination that is meant for the message."""
        rules = recipient.found.destination.rulesets
        if not rules:
            return Match(None)
        octets = len(self.incoming.content.header.octets)
        if len(rules) * octets > INLINE_OCTETS:
            return await trio.to_thread.run_sync(self._first, rules)
        return self._first(rules)

    def _first(self, rules: Sequence[Ruleset]) -> Match:
        if self._seen is None:
            self._seen = self._look_at_header()
        return rulesets.first(rules, self._seen)

    def _look_at_header(self) -> rulesets.Incoming:
        """What rules look at."""
        envelope, checked = self.incoming.envelope, self.incoming.checked
        sender, head = self.incoming.msg_from, self.incoming.content.header
        if checked is not None:
            verified = rulesets.verified_domains(checked)
        else:
            verified = frozenset({sender.domain}) if envelope.is_ours and sender is not None else frozenset()
        return rulesets.Incoming(
            mail_from=envelope.reverse_path.unicode,
            msg_from=sender.unicode if sender is not None else None,
            verified=verified,
            fields=rulesets.header_fields(head.octets, head.fields),
        )

    async def is_addressed(self, rcpt: Address | None) -> bool:
        """Whether a recipient of the transaction stands in To or Cc."""
        if rcpt is None:
            return True
        if self._recipients is None:
            head = self.incoming.content.header
            values = [one for name in (b"To", b"Cc") for one in header.get_all(head.octets, head.fields, name)]
            if sum(map(len, values)) > ADDRESSES_INLINE:
                self._recipients = await trio.to_thread.run_sync(addresses, values)
            else:
                self._recipients = addresses(values)
        return is_addressed(rcpt, self._recipients)

    async def listings(self, stranger: Stranger) -> list[Listing]:
        """What lists say that are in order themselves, as far as they answer in time."""
        if self._listings is not None:
            return self._listings
        resolver, ip = self.app.resolver.named("dnsbl"), stranger.client.remote_ip
        found: list[Listing] = []
        with trio.move_on_after(LISTINGS_SECONDS):
            for zone in stranger.blocklists:
                with trio.move_on_after(LIST_SECONDS) as scope:
                    if problem := await self.app.blocklists.problem(resolver, zone, ip):
                        stranger.log.info("block list is not in order", zone=zone.ascii, problem=problem)
                        continue
                    found.append(await dnsbl.check(resolver, zone, ip))
                if scope.cancelled_caught:
                    self.app.blocklists.rest(zone, ip)
        self._listings = found
        return found

    async def returned(self, recipient: Recipient) -> Returned | None:
        """What the message says of one that the recipient's account sent."""
        envelope = self.incoming.envelope
        from_id = "" if envelope.is_ours else returned.from_id(envelope.addresses, recipient.path)
        if not from_id:
            return None
        with self.app.store.read() as tx:
            if returned.find(tx, recipient.account, from_id) is None:
                return None
        if not self._has_read_notice:
            spooled = self.incoming.spooled
            self._notice = await returned.read(spooled.scanned.root, spooled.reader)
            self._has_read_notice = True
        return Returned(from_id, self._notice)

    async def report(self, kinds: Iterable[str]) -> tuple[Accepted | None, bytes]:
        """A report of one of the kinds, and why it is none of the others."""
        report, errors = None, b""
        for kind in sorted(kinds):
            if kind not in self._reports:
                self._reports[kind] = await self._look_for_report(kind)
            match self._reports[kind]:
                case Accepted() as accepted:
                    report = report or accepted
                case NotAccepted() as why:
                    errors += intake.error_field(intake.DMARC_ERROR if kind == "dmarc" else intake.TLS_ERROR, why)
        return report, b"" if report is not None else errors

    async def _look_for_report(self, kind: str) -> Accepted | NotAccepted:
        """In a thread: hostile ones take a second."""
        config = self.app.config.snapshot()
        spooled, checked = self.incoming.spooled, self.incoming.checked
        assert checked is not None

        def is_ours(domain: object) -> bool:
            return getattr(domain, "ascii", None) in config.derived.addresses.domains

        def look() -> Accepted | NotAccepted:
            try:
                intake.check_size(spooled.size)
                root, octets = spooled.scanned.root, spooled.read(0, spooled.size)
                if kind == "dmarc":
                    return intake.dmarc(root, octets, checked, now=self.app.clock.now(), is_ours=is_ours)
                host = config.static.hostname.domain
                return intake.tls(root, octets, checked, is_ours=is_ours, host=host)
            except NotAccepted as why:
                return why
            except Exception as error:
                # Mail all the same: whoever sent it would send it again and again.
                log.error("a report could not be read", error, kind=kind)
                return NotAccepted("the report could not be read")

        return await trio.to_thread.run_sync(look)


async def judge(app: Appliance, incoming: Incoming, wanted: Sequence[Copy]) -> list[Judgement]:
    """A judgement for each copy. Raises nothing of the world's doing."""
    once = _Once(app, incoming)
    found = []
    for number, copy in enumerate(wanted, 1):
        match = await once.ruleset(copy.recipient)
        stranger, checked = incoming.envelope.stranger, incoming.checked
        if stranger is None or checked is None:
            told = await once.returned(copy.recipient)
            found.append(replace(_trusted(incoming, copy.recipient, match.ruleset), returned=told))
        else:
            found.append(await _Case(app, incoming, checked, stranger, copy, match, once).run())
        if number % AT_ONCE == 0:
            await trio.lowlevel.checkpoint()
    return found


def _trusted(incoming: Incoming, recipient: Recipient, ruleset: Ruleset | None) -> Judgement:
    """Of a message that nobody needs to judge only the rules of the destination say where it goes."""
    mailbox = (ruleset.mailbox if ruleset is not None else None) or recipient.mailbox
    details = () if ruleset is None else (f"ruleset matches, mailbox {mailbox}",)
    sender = facts.own_sender(incoming.msg_from) if incoming.envelope.is_ours else Sender()
    return Judgement(Accept(reason=Reason.LOCAL, mailbox=mailbox, details=details), sender)


@dataclass(slots=True)
class _Case:
    """One message for one account."""

    app: Appliance
    incoming: Incoming
    checked: Checked
    stranger: Stranger
    copy: Copy
    match: Match
    once: _Once

    @property
    def recipient(self) -> Recipient:
        """Whose account."""
        return self.copy.recipient

    @property
    def ruleset(self) -> Ruleset | None:
        """The rule that matches."""
        return self.match.ruleset

    async def run(self) -> Judgement:
        """Ask `decide` until it knows."""
        destination, settings = self.recipient.found.destination, self.recipient.settings
        report, errors = await self.once.report(self.recipient.found.reports)
        told = await self.once.returned(self.recipient)
        checked, notes = facts.forwarded(self.checked, self.ruleset)
        if self.match.gave_up:
            notes = (*notes, "looking for a ruleset took too much work")
        sender = facts.sender(self.stranger.client, checked, self.ruleset)
        known = Facts(
            checked=checked,
            notes=notes,
            is_tls=self.incoming.envelope.tls_version is not None,
            is_addressed=False,
            smtputf8=self.incoming.envelope.smtputf8,
            size_octets=self.incoming.spooled.size,
            rates=self.rates(),
            mailbox=self.recipient.mailbox,
            introbox=settings.introbox or "",
            ruleset=self.ruleset,
            auth_required_text=destination.message_auth_required_smtp_error or "",
            is_report=report is not None,
            is_returned=told is not None and told.vouches and self.incoming.envelope.reverse_path.is_null,
            token=self.token(),
            threshold=settings.junk_filter.threshold if settings.junk_filter is not None else None,
            chance=chance(self.app),
            blocklists=self.stranger.blocklists,
            delays_strangers=not settings.no_first_time_sender_delay,
        )
        limits = self.app.policy.limits
        while not isinstance(verdict := decide(known, limits), Accept | Refuse):
            match verdict:
                case Ask.REPUTATION:
                    known = structs.replace(known, reputation=self.reputation(sender, known))
                case Ask.CONTENT:
                    is_addressed = await self.once.is_addressed(self.copy.rcpt.address)
                    known = structs.replace(known, content=await self.content(), is_addressed=is_addressed)
                case Ask.LISTINGS:
                    known = structs.replace(known, listings=await self.once.listings(self.stranger))
        if isinstance(verdict, Refuse) and verdict.gives_token:
            text = await self.offer()
            # Without a key there is no token to give.
            verdict = (
                replace(verdict, text=text) if text else decide(structs.replace(known, token=Token.FAILED), limits)
            )
            assert not isinstance(verdict, Ask)
        return Judgement(verdict, sender, report, errors, told, known)

    def rates(self) -> Sequence[Rate] | None:
        """What the account has from the client's networks lately; None when the store fails."""
        if not self.app.policy.limits.networks:
            return ()
        try:
            with self.app.store.read() as tx:
                now = self.app.clock.microseconds()
                found = stored.rates(tx, self.recipient.account, networks(self.stranger.client.remote_ip), now)
                return [Rate(*one) for one in found]
        except Exception as error:
            log.error("rates could not be read", error, account=self.recipient.found.account)
            return None

    def reputation(self, sender: Sender, known: Facts) -> reputation.Reputation | Failed:
        """What the account's history says of the sender."""
        mailbox = (self.ruleset.mailbox if self.ruleset is not None else None) or known.mailbox
        try:
            with self.app.store.read() as tx:
                history = stored.StoredHistory(tx, self.recipient.account, mailbox)
                return reputation.evaluate(history, sender, self.app.clock.now())
        except Exception as error:
            log.error("history could not be read", error, account=self.recipient.found.account)
            return Failed.REPUTATION

    async def content(self) -> junk.Score | Failed:
        """What the account's filter says of the words."""
        settings = self.recipient.settings.junk_filter
        assert settings is not None
        try:
            return await junk.classify(self.app.store, self.recipient.account, self.once.words, settings)
        except Exception as error:
            log.error("words could not be judged", error, account=self.recipient.found.account)
            return Failed.CLASSIFY

    def token(self) -> Token:
        """What the subject proves."""
        settings = self.recipient.settings.subject_pass
        if settings.period is None:
            return Token.OFF
        return passes.look(
            self.app,
            settings,
            account=self.recipient.account,
            address=self.recipient.found.address_key,
            sender=self.incoming.msg_from,
            subject=passes.subject(self.incoming.content),
        )

    async def offer(self) -> str | None:
        """A reply that gives the sender a token."""
        sender = self.incoming.msg_from
        if sender is None:
            return None
        return await passes.offer(
            self.app, account=self.recipient.account, address=self.recipient.found.address_key, sender=sender
        )


def chance(app: Appliance) -> float:
    """From 0 up to 1."""
    return int.from_bytes(app.random.token_bytes(4), "big") / 2**32


def addresses(values: Iterable[bytes]) -> frozenset[Address]:
    """Those of address lists that are some; more than `ADDRESSES_INLINE` octets are for a thread."""
    found = set()
    for value in values:
        for mailbox in mailboxes(parse_list(value, ADDRESSES)):
            with suppress(DomainError, AddressError):
                found.add(Address(mailbox.localpart, parse_domain(mailbox.domain, lax=True)))
    return frozenset(found)


async def check(app: Appliance, incoming: Incoming, stranger: Stranger) -> Checked:
    """Everything about who sent the message, once for all recipients."""
    spooled = incoming.spooled
    message = checks.Message(spooled.scanned.header, spooled.size, spooled.reader)
    return await checks.check(
        app.resolver,
        stranger.client,
        message,
        stranger.log,
        chance=chance(app),
        spf=stranger.spf,
        now=app.clock.now().timestamp(),
    )
