"""One message to be handed to another server: its envelope, whether it can go there, and the commands that say so.

RFC 5321 §4.1.1, with the parameters of SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), DSN (RFC 3461) and
REQUIRETLS (RFC 8689), each only where the server offers it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.mail.address import Path
from appliance.mail.status import Status
from appliance.protocol.smtp.capabilities import Capabilities, ServerLimits
from appliance.protocol.smtp.failure import Failure, Fault, impossible

#: Every server takes so many recipients at once (RFC 5321 §4.5.3.1.8).
USUAL_RECIPIENTS: Final = 100
#: What xtext has in hexadecimal (RFC 3461 §4).
_TO_ENCODE: Final = re.compile(r"[^!-*,-<>-~]")
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Recipient:
    """One of a transaction's recipients."""

    path: Path
    #: Some of `DELAY FAILURE SUCCESS`, or `NEVER` alone; None: its sender did not say (RFC 3461 §4.1).
    notify: tuple[str, ...] | None = None
    #: `addr-type;xtext` (RFC 3461 §4.2).
    orcpt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The envelope of a message, and what the message asks of a server."""

    reverse_path: Path
    recipients: tuple[Recipient, ...]
    #: Of the whole message, line ends as CRLF; queue.smtpclient fills it in.
    size_octets: int = 0
    #: There are octets above 127.
    has_8bit: bool = False
    #: An address or a field of the header is beyond ASCII.
    smtputf8: bool = False
    #: TLS is demanded of all further servers too (RFC 8689 §4.2.1). A server must have been verified before this is
    #: sent; a message with a null reverse-path may go without (RFC 8689 §5), which is for the caller to decide.
    requiretls: bool = False
    #: 8-bit octets go only where 8BITMIME is offered, as RFC 6152 §3 has it. Otherwise they go everywhere: the servers
    #: that would harm them are gone, and we do not convert.
    insist_8bitmime: bool = False
    #: `FULL` or `HDRS` (RFC 3461 §4.3).
    ret: str | None = None
    #: Decoded (RFC 3461 §4.4).
    envid: str | None = None

    @property
    def needs_smtputf8(self) -> bool:
        """Whether it cannot go without SMTPUTF8. Domains always can, as A-labels."""
        paths = (self.reverse_path, *(one.path for one in self.recipients))
        return self.smtputf8 or any(path.needs_smtputf8 for path in paths)


def unreachable(transaction: Transaction, capabilities: Capabilities) -> list[int]:
    """The places of recipients whose addresses cannot be said to this server, while the message could go to others."""
    if capabilities.offers("SMTPUTF8") or transaction.smtputf8 or transaction.reverse_path.needs_smtputf8:
        return []
    return [at for at, one in enumerate(transaction.recipients) if one.path.needs_smtputf8]


def no_smtputf8() -> Failure:
    """The server cannot be told of addresses or fields beyond ASCII (RFC 6531 §3.2)."""
    return impossible(Fault.UNSUPPORTED, 553, Status(5, 6, 7), "the server does not support SMTPUTF8")


def obstacle(transaction: Transaction, capabilities: Capabilities, *, tls: bool) -> Failure | None:
    """Why the message cannot go to this server at all; None when it can."""
    offers = capabilities.offers
    limit = capabilities.max_message_octets
    if transaction.requiretls and not (tls and offers("REQUIRETLS")):  # RFC 8689 §4.2.1
        return impossible(Fault.UNSUPPORTED, 554, Status(5, 7, 30), "the server does not support REQUIRETLS")
    if transaction.needs_smtputf8 and not offers("SMTPUTF8"):
        return no_smtputf8()
    if transaction.has_8bit and transaction.insist_8bitmime and not offers("8BITMIME"):
        return impossible(Fault.UNSUPPORTED, 554, Status(5, 6, 3), "the server does not support 8BITMIME")
    if limit is not None and transaction.size_octets > limit:  # RFC 1870 §6.1
        text = f"the message has {transaction.size_octets} octets, the server takes {limit}"
        return impossible(Fault.UNSUPPORTED, 552, Status(5, 3, 4), text)
    return None


def mail_command(transaction: Transaction, capabilities: Capabilities) -> bytes:
    """The MAIL line of a transaction without an obstacle, without its line end."""
    offers = capabilities.offers
    utf8 = transaction.needs_smtputf8
    words = [f"MAIL FROM:{_written(transaction.reverse_path, utf8=utf8)}"]
    if offers("SIZE"):
        words.append(f"SIZE={transaction.size_octets}")
    if offers("8BITMIME"):
        words.append("BODY=8BITMIME" if transaction.has_8bit or utf8 else "BODY=7BIT")
    if utf8:
        words.append("SMTPUTF8")
    if transaction.requiretls:
        words.append("REQUIRETLS")
    if offers("DSN"):
        if transaction.ret is not None:
            words.append(f"RET={transaction.ret}")
        if transaction.envid is not None:
            words.append(f"ENVID={_xtext(transaction.envid)}")
    return _line(words)


def rcpt_command(recipient: Recipient, capabilities: Capabilities, *, utf8: bool) -> bytes:
    """The RCPT line of a recipient, without its line end. `utf8`: the transaction needs SMTPUTF8."""
    words = [f"RCPT TO:{_written(recipient.path, utf8=utf8)}"]
    if capabilities.offers("DSN"):
        if recipient.notify is not None:
            words.append(f"NOTIFY={','.join(recipient.notify)}")
        if recipient.orcpt is not None:
            words.append(f"ORCPT={recipient.orcpt if utf8 else _seven_bit(recipient.orcpt)}")
    return _line(words)


def batch(recipients: Sequence[Recipient], limits: ServerLimits, most: int | None = None) -> int:
    """How many recipients, the first ones, may go into one transaction; `most` if the server has shown its limit."""
    count = min(len(recipients), limits.rcptmax or USUAL_RECIPIENTS, most or len(recipients))
    if limits.rcptdomainmax is None:
        return count
    domains = set()
    for at in range(count):
        domains.add(recipients[at].path.domain)
        if len(domains) > limits.rcptdomainmax:
            return at
    return count


def _written(path: Path, *, utf8: bool) -> str:
    """No space stands before it: some servers take none (RFC 5321 §3.3)."""
    return f"<{path.unicode if utf8 else path.ascii}>"


def _xtext(text: str) -> str:
    return _TO_ENCODE.sub(lambda found: f"+{ord(found[0]):02X}", text)


def _seven_bit(orcpt: str) -> str:
    """An address of type utf-8 where UTF-8 cannot be sent (RFC 6533 §3, `utf-8-addr-xtext`)."""
    return _BEYOND_ASCII.sub(lambda found: f"\\x{{{ord(found[0]):X}}}", orcpt)


def _line(words: Sequence[str]) -> bytes:
    line = " ".join(words).encode("utf-8")
    if _CONTROL.search(line):  # Parsed values have none. A second lock on the door.
        raise ValueError("a command with a control character")
    return line
