"""Mail that was refused: looked for by those who miss it, and told in words what it means and what helps."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Final

import trio

from appliance.base.ids import InvalidReceivedID
from appliance.base.problem import Kind, Problem
from appliance.delivery.appliance import Appliance
from appliance.delivery.decide import Reason
from appliance.delivery.refusals import Cause
from appliance.operations.accounts import number
from appliance.store import account as accounts
from appliance.store.refusal import REFUSALS, Refusal
from appliance.store.tables import NOBODY, AccountID

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class BadFilter(Problem):
    """What is looked for cannot be understood."""

    kind = Kind.INVALID


@dataclass(frozen=True)
class Filter:
    """Which refusals; what is empty lets all pass."""

    #: Part of MAIL FROM, RCPT TO or From; case says nothing.
    address: str = ""
    #: An address or a network.
    ip: str = ""
    reason: str = ""
    #: As the reply has it behind its text, and a Received field.
    received_id: str = ""
    #: Microseconds since 1970: of the last time.
    since: int = 0
    before: int = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """A reason in words."""

    why: str
    remedy: str


async def found(app: Appliance, name: str | None, wanted: Filter, most: int) -> list[tuple[str, Refusal]]:
    """The last refusals of mail for a named account, or of all; of mail for nobody in particular, `-`. Newest first.

    Raises NoSuchAccount and BadFilter.
    """
    network = _network(wanted.ip) if wanted.ip else None
    only = NOBODY if name is None or name == "-" else number(app.store, name)

    def read() -> list[tuple[str, Refusal]]:
        with app.store.read() as tx:
            names = {"-": NOBODY, **accounts.names(tx)} if name is None else {name: only}

            def of(name: str, account: AccountID) -> Iterator[tuple[str, Refusal]]:
                for one in REFUSALS.newest(tx, account):
                    if wanted.since and one.last < wanted.since:
                        return
                    if _matches(one, wanted, network):
                        yield name, one

            each = [of(name, account) for name, account in names.items()]
            return list(islice(merge(*each, key=lambda one: one[1].last, reverse=True), most))

    return await trio.to_thread.run_sync(read)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise BadFilter(f"{text} is neither an IP address nor a network") from error


def _matches(one: Refusal, wanted: Filter, network: Network | None) -> bool:
    text = wanted.address.strip().lower()
    if text and not any(text in value.lower() for value in (one.mail_from, one.rcpt_to, one.msg_from)):
        return False
    if wanted.reason and one.reason != wanted.reason:
        return False
    if wanted.received_id and one.received_id != wanted.received_id.strip().strip("()"):
        return False
    if wanted.before and one.last >= wanted.before:
        return False
    if network is None:
        return True
    if not one.remote_ip:
        return False
    client = ipaddress.ip_network(one.remote_ip)
    return client.version == network.version and client.overlaps(network)


def cid(app: Appliance, one: Refusal) -> str:
    """Of the connection, as logs have it; empty where there is none."""
    try:
        return f"{app.received_ids.decode(one.received_id):x}"
    except InvalidReceivedID:
        return ""


def explain(one: Refusal) -> Explanation:
    """Why, and what to do about it."""
    return _EXPLANATIONS.get(one.reason, _UNKNOWN)


_UNKNOWN: Final = Explanation(
    "The server gave the reason that stands in its reply.", "Look for the connection in the log."
)
_SENDERS_TO_MEND: Final = (
    "Only the sender's side can mend this: tell its operator, by another way than mail, what stands here."
)
_NOT_ORS: Final = "Nothing, if nobody misses it. "
_RETRY: Final = "The sender's server tries again by itself for some days. "
_RESCUE: Final = (
    "If a copy lies in the mailbox of rejects, move it to the Inbox: its sender gets in from then on, and this "
    "message is "
    "taken when it comes again. "
)
_TRUST: Final = "Or add a rule to the address that accepts this sender's domain or mailing list."
_TROUBLE: Final = "Look for errors in the log with the id of the connection; the sender's server tries again by itself."

_EXPLANATIONS: Final[dict[str, Explanation]] = {
    Reason.DMARC_POLICY: Explanation(
        "The domain in From asks (by DMARC) to refuse mail that it did not send, and nothing vouches for this message: "
        "it is forged, or was forwarded by a server that broke its signature.",
        "If it came by a mailing list or a forwarding server that you trust, add a rule for it to the address. "
        f"{_SENDERS_TO_MEND}",
    ),
    Reason.MSG_AUTH_REQUIRED: Explanation(
        "The address only takes messages whose From is verified, and this one's is not.",
        f"Turn that off for the address if it should take others. {_SENDERS_TO_MEND}",
    ),
    Reason.SPF_POLICY: Explanation(
        "The sender's domain does not let this server send mail for it (SPF), and the account does not know the "
        "sender.",
        _RESCUE + _SENDERS_TO_MEND,
    ),
    Reason.IPREV: Explanation(
        "The sending server has no proper name in the DNS for its address, and mail like it was junk before.",
        _RESCUE + _SENDERS_TO_MEND,
    ),
    Reason.REPUTATION_ERROR: Explanation(
        "The history of the sender could not be read: a fault of this server.", _TROUBLE
    ),
    Reason.SUBJECTPASS_ERROR: Explanation(
        "The key that checks tokens in subjects could not be read: a fault of this server.", _TROUBLE
    ),
    Reason.JUNK_FILTER_ERROR: Explanation("The junk filter does not work: a fault of this server.", _TROUBLE),
    Reason.JUNK_CLASSIFY_ERROR: Explanation("The junk filter does not work: a fault of this server.", _TROUBLE),
    Reason.GIVE_SUBJECTPASS: Explanation(
        "The message looked like junk, but not much. The reply told its sender to send it again with a token in the "
        "subject.",
        f"Wait for it to come again with the token. {_RESCUE}".strip(),
    ),
    Reason.JUNK_CONTENT: Explanation(
        "The account does not know the sender, and the words of the message look like junk to its filter.",
        f"{_RESCUE}{_TRUST} The filter learns from what is moved to and from Junk; its threshold is among the "
        "account's settings.",
    ),
    Reason.JUNK_CONTENT_STRICT: Explanation(
        "The account does not know the sender, and something about the message was odd (no TLS, no proper name of the "
        "server, or the address not in To or Cc), so its words were looked at more strictly.",
        _RESCUE + _TRUST,
    ),
    Reason.DNS_BLOCKLISTED: Explanation(
        "A block list that this server asks has the sending server, and the account does not know the sender.",
        f"{_RESCUE}The sender's operator has to ask the list to be taken off; which one stands in the details.",
    ),
    Reason.HIGH_RATE: Explanation(
        "Too much mail came from the sender's network in a short time.",
        f"{_RETRY}If that is wanted, ask it to send more slowly.",
    ),
    Reason.MSG_FROM_FULL: Explanation(
        "What came from this address before was marked as junk by the account's reader.", _RESCUE + _TRUST
    ),
    **{
        reason: Explanation(
            "What came before from the same source, such as its domain or network, was marked as junk by the "
            "account's reader.",
            _RESCUE + _TRUST,
        )
        for reason in (
            *(Reason.MSG_TO_FULL, Reason.MSG_FROM_DOMAIN, Reason.MSG_FROM_ORG_DOMAIN, Reason.MSG_TO_DOMAIN),
            *(Reason.MSG_TO_ORG_DOMAIN, Reason.DKIM_SPF, Reason.IP1, Reason.IP2, Reason.IP3, Reason.NONE),
        )
    },
    Cause.NO_SUCH_HOST: Explanation(
        "The server gave a name in HELO that does not exist in the DNS.", _NOT_ORS + _SENDERS_TO_MEND
    ),
    Cause.SENDER_LITERAL: Explanation(
        "The sender's address has an IP address in the place of a domain, which only programs for junk do.",
        _NOT_ORS + _SENDERS_TO_MEND,
    ),
    Cause.SENDER_DOMAIN: Explanation(
        "The sender's domain does not exist or takes no mail itself, so nobody could answer or be told of a failure.",
        _NOT_ORS + _SENDERS_TO_MEND,
    ),
    Cause.SENDER_NOT_FOUND: Explanation(
        "The name servers of the sender's domain did not answer just then.",
        f"{_RETRY}If all senders have this, the resolver of this server does not work: see the overview.",
    ),
    Cause.BAD_TRANSACTIONS: Explanation(
        "The client began many messages on its connection and none came to an end.", _NOT_ORS + _SENDERS_TO_MEND
    ),
    Cause.TLS_REQUIRED: Explanation(
        "The listener takes mail by TLS only, and the client did not use it.",
        "If such servers should be let in, turn RequireSTARTTLS of the listener off.",
    ),
    Cause.RELAY: Explanation(
        "The recipient's domain is none of this server: somebody looked for a server that passes on anybody's mail, "
        "or the "
        "MX record of another domain points here.",
        "If the domain should be served here, add it. Whoever sends mail for an account has to log in, by the ports "
        "for submission.",
    ),
    Cause.UNKNOWN_RECIPIENT: Explanation(
        "The domain is served here, and the address belongs to nobody: mostly a guess or a slip of the pen.",
        "If it should exist, add it to an account or alias, or give an account a catch-all address.",
    ),
    Cause.NOTICES_ONLY: Explanation(
        "The address stands for forwarded mail and only takes notices that it could not be delivered.", _NOT_ORS.strip()
    ),
    Cause.ADDRESS_REFUSES: Explanation(
        "The address does not take mail now: its owner has set a reply that refuses, its domain is disabled, or its "
        "account "
        "is not available.",
        "Look at the refusals of the address in its account, and whether the domain is disabled.",
    ),
    Cause.NOT_MEMBER: Explanation(
        "Only members may write to the alias, and the address in From is none of theirs.",
        "Let anybody write to the alias, or add the sender to its members.",
    ),
    Cause.TOO_LARGE: Explanation(
        "The message is larger than the listener takes.",
        "Raise SMTPMaxMessageSize of the listener, or have it sent in another way.",
    ),
    Cause.HEADER_TOO_LARGE: Explanation(
        "The header of the message is too large, or has too many fields, to be read as a whole.", _SENDERS_TO_MEND
    ),
    Cause.LOOP: Explanation(
        "The message has come by a hundred servers: two of them forward it to each other.",
        "Look whether the address forwards to one that forwards back to it.",
    ),
    Cause.SMUGGLING: Explanation(
        "The end of the message was written in a way that is used to smuggle a second message into it.",
        _SENDERS_TO_MEND,
    ),
    Cause.LACKS_SMTPUTF8: Explanation(
        "The header has letters beyond ASCII, and the client did not say so; the listener is pedantic.",
        "Turn Pedantic off where such mail should be taken.",
    ),
    Cause.MAILBOX_FULL: Explanation(
        "The account holds as much as it may.", f"Remove mail, or raise the account's quota. {_RETRY}".strip()
    ),
    Cause.DISK_FULL: Explanation("The disk of this server is full.", f"Make room. {_RETRY}".strip()),
    Cause.TROUBLE: Explanation("Something went wrong here; the reply says what was told.", _TROUBLE),
    Cause.TOO_MANY: Explanation(
        "More mail was refused at once than is written down one by one: an attack, mostly.",
        "The log has every refusal, as long as it reaches back.",
    ),
}
