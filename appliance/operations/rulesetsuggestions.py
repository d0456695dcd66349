"""What a move of a message suggests: a rule that all mail of its list or sender goes there, or goes there no more.

Only moves from and to where mail of the address arrives suggest anything, and only where something vouches for the
list or the sender: else anybody could have his mail sorted by what another taught. Mailboxes with a special use say
nothing about where mail belongs.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import trio

from appliance.base import limits
from appliance.base.problem import Kind, Problem
from appliance.config.addresses import Found, FoundAlias
from appliance.config.domains import Destination, Ruleset
from appliance.config.source import Config
from appliance.config.values import DomainName, MailboxName, Pattern
from appliance.delivery import rulesets as matching
from appliance.delivery.appliance import Appliance
from appliance.mail import header
from appliance.mail.address import AddressError, parse_path
from appliance.operations import rulesets, settings
from appliance.operations.actor import Actor, Right
from appliance.operations.configuring import NoSuchAddress
from appliance.operations.messages import find
from appliance.store import bodies, message as messages, preferences
from appliance.store.records import INBOX, Mailbox, Origin
from appliance.store.tables import MailboxID, MessageID
from appliance.store.transaction import ReadTx

_LIST_ID: Final = re.compile(r"<([a-z0-9][a-z0-9._-]{0,250})>\s*\Z", re.IGNORECASE)
#: Of one address; each is tried with each message.
RULESETS: Final = 200


class NoSuchRuleset(Problem):
    """The address has no such rule (any more)."""

    kind = Kind.NOT_FOUND


class TooManyRulesets(Problem):
    """The address has as many as it may have."""

    kind = Kind.LIMIT


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A rule that is to be added, or to be removed."""

    #: What it is about: one of these.
    list_id: str
    msg_from: str
    is_remove: bool
    #: The address whose rule it is, as the configuration has it.
    recipient: str
    ruleset: Ruleset


async def suggest(
    app: Appliance, actor: Actor, config: Config, id: MessageID, source: MailboxID, target: MailboxID
) -> Suggestion | None:
    """What a move of a message suggests, before or after it. Raises NoSuchMessage, NoSuchMailbox."""
    actor.require(Right.READ_MAIL)
    with app.store.read() as tx:
        _, place = find(tx, actor, id)
        facts = messages.facts(tx, actor.account, id)
        origin = facts.origin
        head = bodies.read(tx, place.body, 0, min(facts.root.body, limits.HEADER.octets))
        boxes = tx.mailbox(actor.account, source), tx.mailbox(actor.account, target)
        if not origin.remote_ip or origin.is_reject or preferences.is_never(tx, actor.account, _from_box(source)):
            return None
        if preferences.is_never(tx, actor.account, _to_box(target)):
            return None
    found = _destination(config, actor.name, origin.rcpt_to)
    if found is None:
        return None
    fields = header.fields(head, limits=limits.HEADER)
    suggestion = _of_move(found, origin, header.get_all(head, fields, b"List-Id"), boxes)
    if suggestion is None:
        return None
    with app.store.read() as tx:
        if _is_never(tx, actor, suggestion, boxes[1]):
            return None
    if suggestion.is_remove:
        return suggestion
    seen = rulesets.incoming(origin, head, fields)
    match = await trio.to_thread.run_sync(matching.first, found.destination.rulesets, seen)
    return None if match.ruleset is not None or match.gave_up else suggestion


def _destination(config: Config, name: str, address: str) -> Found | None:
    """The address of the account that mail for an address comes by; that of the member for an alias."""
    try:
        path = parse_path(f"<{address}>".encode(), smtputf8=True)
    except AddressError:
        return None
    index = config.derived.addresses
    match index.lookup(path):
        case Found(account=account) as found if account == name and found.written:
            return found
        case FoundAlias(alias=alias):
            members = (index.own(one.address) for one in alias.addresses)
            return next((one for one in members if one is not None and one.account == name and one.written), None)
    return None


def _of_move(
    found: Found, origin: Origin, list_ids: Sequence[bytes], boxes: tuple[Mailbox, Mailbox]
) -> Suggestion | None:
    source, target = (one.name for one in boxes)
    default = found.destination.default_mailbox
    if source == target or default not in {source, target}:
        return None
    if any(one.roles and one.name != default for one in boxes):
        return None
    made = _of_list(origin, list_ids) or _of_sender(origin)
    if made is None:
        return None
    list_id, msg_from, ruleset = made
    if source == default:
        ruleset = msgspec.structs.replace(ruleset, mailbox=MailboxName(target))
        return Suggestion(list_id, msg_from, False, found.written, ruleset)
    wanted = msgspec.structs.replace(ruleset, mailbox=MailboxName(source))
    there = next((one for one in found.destination.rulesets if _is_same(one, wanted)), None)
    return None if there is None else Suggestion(list_id, msg_from, True, found.written, there)


def _of_list(origin: Origin, values: Sequence[bytes]) -> tuple[str, str, Ruleset] | None:
    """A rule for the list that a message is of, if a domain that is verified stands behind its id."""
    if len(values) != 1:
        return None
    id = _LIST_ID.search(values[0].decode("utf-8", "replace"))
    if id is None:
        return None
    name = id[1].lower()
    verified = {one.unicode for one in rulesets.verified(origin)}
    behind = sorted((one for one in verified if name == one or name.endswith(f".{one}")), key=len)
    if not behind:
        return None
    pattern = Pattern(f"{re.escape(f'<{name}>')}$")
    return name, "", Ruleset(headers_regexp={Pattern("^list-id$"): pattern}, list_allow_domain=DomainName(behind[0]))


def _of_sender(origin: Origin) -> tuple[str, str, Ruleset] | None:
    """A rule for a sender, if anything vouches for him."""
    if not origin.msg_from_validated or not origin.msg_from_domain:
        return None
    address = f"{origin.msg_from_localpart}@{origin.msg_from_domain}"
    return "", address, Ruleset(msg_from_regexp=Pattern(f"^{re.escape(address)}$"))


def _is_same(one: Ruleset, other: Ruleset) -> bool:
    """Whether they differ in nothing but their comments."""
    return msgspec.structs.replace(one, comment="") == msgspec.structs.replace(other, comment="")


# What is not suggested.


def _from_box(id: MailboxID) -> str:
    return f"from mailbox {id}"


def _to_box(id: MailboxID) -> str:
    return f"to mailbox {id}"


def _what(recipient: str, list_id: str, msg_from: str, *, to_inbox: bool) -> str:
    what = f"list {list_id}" if list_id else f"from {msg_from.lower()}"
    return f"{recipient} {'inbox' if to_inbox else 'other'} {what}"


def _is_never(tx: ReadTx, actor: Actor, one: Suggestion, target: Mailbox) -> bool:
    about = _what(one.recipient, one.list_id, one.msg_from, to_inbox=target.name == INBOX)
    return preferences.is_never(tx, actor.account, about)


async def never(app: Appliance, actor: Actor, recipient: str, *, list_id: str, msg_from: str, to_inbox: bool) -> None:
    """Suggest nothing any more about a list or a sender, for moves to the Inbox or for all others."""
    actor.require(Right.CHANGE_MAIL)
    await app.store.write(preferences.never, actor.account, _what(recipient, list_id, msg_from, to_inbox=to_inbox))


async def never_mailbox(app: Appliance, actor: Actor, id: MailboxID, *, to_mailbox: bool) -> None:
    """Suggest nothing any more about moves to a mailbox, or from it. Raises NoSuchMailbox."""
    actor.require(Right.CHANGE_MAIL)
    with app.store.read() as tx:
        tx.mailbox(actor.account, id)
    await app.store.write(preferences.never, actor.account, _to_box(id) if to_mailbox else _from_box(id))


# Changing the rules.


async def add(app: Appliance, actor: Actor, recipient: str, ruleset: Ruleset) -> None:
    """Add a rule to an address of the account, behind the others, with a word on where it comes from.

    Raises NoSuchAddress, TooManyRulesets, ChangedMeanwhile, BadSetting, NotValid, FileRefused.
    """
    actor.require(Right.CHANGE_MAIL)
    recipient, old = _rules_of(app, actor, recipient)
    if len(old.rulesets) >= RULESETS:
        raise TooManyRulesets(f"an address has at most {RULESETS} rules")
    if not ruleset.comment:
        ruleset = msgspec.structs.replace(ruleset, comment=f"by webmail on {app.clock.now():%Y-%m-%d}")
    await _save(app, actor, recipient, old, (*old.rulesets, ruleset))


async def remove(app: Appliance, actor: Actor, recipient: str, ruleset: Ruleset) -> None:
    """Remove a rule, whatever its comment. Raises NoSuchAddress, NoSuchRuleset, and as `add`."""
    actor.require(Right.CHANGE_MAIL)
    recipient, old = _rules_of(app, actor, recipient)
    left = tuple(one for one in old.rulesets if not _is_same(one, ruleset))
    if len(left) == len(old.rulesets):
        raise NoSuchRuleset("there is no such rule")
    await _save(app, actor, recipient, old, left)


def _rules_of(app: Appliance, actor: Actor, recipient: str) -> tuple[str, Destination]:
    """An address as the configuration has it, given so or as mail comes by it, and what is set of it."""
    config = app.config.snapshot()
    account = config.domains.accounts.get(actor.name)
    known = account.destinations if account is not None else {}
    if recipient not in known and (found := _destination(config, actor.name, recipient)) is not None:
        recipient = found.written
    if recipient not in known:
        raise NoSuchAddress(f"{recipient[:300]} is not an address of the account")
    return recipient, known[recipient]


async def _save(app: Appliance, actor: Actor, recipient: str, old: Destination, rules: Sequence[Ruleset]) -> None:
    new = msgspec.structs.replace(old, rulesets=tuple(rules))
    await settings.save_destination(app, actor.name, recipient, old, new)
