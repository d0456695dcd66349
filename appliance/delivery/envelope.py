"""How a message reached us: what its conversation said, and what is known of who brought it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from appliance.base.log import Log
from appliance.config.addresses import AddressIndex
from appliance.delivery.copies import AliasRecipient, Recipient
from appliance.mail.address import Path
from appliance.mail.domain import Domain
from appliance.mail.received import Received
from appliance.msgauth.client import Client
from appliance.msgauth.results import SPF


@dataclass(frozen=True, slots=True)
class Stranger:
    """Another server brought the message: it is judged before it is kept."""

    client: Client
    #: SPF of MAIL FROM, when it had to be known before.
    spf: SPF | None = None
    #: Lists that are asked about senders without history.
    blocklists: Sequence[Domain] = ()
    #: How long mail of senders never heard of waits before it is kept.
    delay_seconds: float = 0.0
    #: Of the connection.
    log: Log = Log("delivery")  # noqa: RUF009


@dataclass(frozen=True, slots=True)
class Envelope:
    """How the message reached us."""

    reverse_path: Path
    #: In the order of RCPT.
    recipients: Sequence[Recipient | AliasRecipient]
    remote_ip: IPv4Address | IPv6Address
    ehlo: str
    #: The Received field, all but its recipient; None when no host brought the message: the queue did.
    trace: Received | None
    arrived: datetime
    #: Name of the TLS version, None for plain text.
    tls_version: str | None
    tls_cipher: str
    requiretls: bool
    #: The addresses as they were at RCPT: who in From is a member of an alias.
    addresses: AddressIndex
    #: Header fields of the message that stand before the octets received: the queue's.
    prefix: bytes = b""
    #: Who must be judged; None for a message of our own users, of the operator, or of a server that judged it before.
    stranger: Stranger | None = None
    #: One of our users submitted it, with a From that is his.
    is_ours: bool = False
    #: Fields added here may go beyond ASCII (RFC 6532).
    smtputf8: bool = False
