"""Trying a ruleset on mail that came already, before it is saved."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import trio

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.base.regexp import Budget
from appliance.config.domains import Ruleset
from appliance.delivery import rulesets
from appliance.delivery.appliance import Appliance
from appliance.delivery.rulesets import Incoming
from appliance.mail import header, words
from appliance.mail.domain import Domain, DomainError, parse_domain
from appliance.operations.actor import Actor
from appliance.operations.websessions import time
from appliance.store import bodies, mailbox, message
from appliance.store.records import Origin
from appliance.store.tables import AccountID, MailboxID
from appliance.store.transaction import ReadTx

#: Messages looked at, and by one read transaction.
MOST: Final = 500
_PIECE: Final = 20
_SUBJECT_CHARACTERS: Final = 500


class BadRuleset(Problem):
    """A ruleset without conditions, which matches nothing."""

    kind = Kind.INVALID


@dataclass(frozen=True, slots=True)
class Matching:
    """A message that a ruleset would have been used for."""

    received: datetime
    msg_from: str
    subject: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What came of it."""

    looked_at: int
    matching: tuple[Matching, ...]
    #: Looking was given up: the expressions take too much work.
    gave_up: bool


async def preview(app: Appliance, actor: Actor, ruleset: Ruleset, mailbox_name: str, most: int) -> Preview:
    """Which of the newest messages of a mailbox a ruleset matches, among those that came by SMTP.

    Raises NoSuchMailbox, BadRuleset.
    """
    conditions = (ruleset.smtp_mail_from_regexp, ruleset.msg_from_regexp, ruleset.verified_domain)
    if not any(conditions) and not ruleset.headers_regexp:
        raise BadRuleset("a ruleset needs a condition")
    with app.store.read() as tx:
        number = mailbox.by_name(tx, actor.account, mailbox_name).id
        uids = [uid for uid, _ in islice(message.newest(tx, actor.account, number), min(most, MOST))]
    budget, found, looked_at = Budget(), list[Matching](), 0

    def look(some: list[int]) -> tuple[int, bool]:
        with app.store.read() as tx:
            return _look(tx, actor.account, number, some, ruleset, budget, found)

    for at in range(0, len(uids), _PIECE):
        count, gave_up = await trio.to_thread.run_sync(look, uids[at : at + _PIECE])
        looked_at += count
        if gave_up:
            return Preview(looked_at, tuple(found), gave_up=True)
    return Preview(looked_at, tuple(found), gave_up=False)


def _look(
    tx: ReadTx,
    account: AccountID,
    number: MailboxID,
    uids: list[int],
    ruleset: Ruleset,
    budget: Budget,
    found: list[Matching],
) -> tuple[int, bool]:
    count = 0
    for uid in uids:
        row = message.row(tx, account, number, uid)
        if row is None:
            continue
        facts = message.facts(tx, account, row.id)
        if facts.origin.remote_ip:
            count += 1
            octets = bodies.read(tx, row.body, 0, min(facts.root.body, limits.HEADER.octets))
            fields = header.fields(octets, limits=limits.HEADER)
            seen = incoming(facts.origin, octets, fields)
            match = rulesets.first([ruleset], seen, budget)
            if match.gave_up:
                return count, True
            if match.ruleset is not None:
                subject = words.decode(header.get(octets, fields, b"Subject") or b"")
                found.append(Matching(time(row.received), seen.msg_from or "", subject[:_SUBJECT_CHARACTERS]))
    return count, False


def incoming(origin: Origin, octets: bytes, fields: list[header.Field]) -> Incoming:
    """A message as rulesets saw it when it came, by its header."""
    msg_from = f"{origin.msg_from_localpart}@{origin.msg_from_domain}" if origin.msg_from_domain else None
    return Incoming(origin.mail_from, msg_from, verified(origin), rulesets.header_fields(octets, fields))


def verified(origin: Origin) -> frozenset[Domain]:
    """The domains that something vouched for when it came."""
    names = {*origin.dkim_domains, *origin.orig_dkim_domains}
    if origin.mail_from_validated:
        names.add(origin.mail_from.rpartition("@")[2])
    if origin.ehlo_validated:
        names.add(origin.ehlo)
    found = set()
    for name in names:
        try:
            found.add(parse_domain(name))
        except DomainError:
            continue
    return frozenset(found)
