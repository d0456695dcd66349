"""An SMTP client's conversation with a driver that wants to hand over one message, for tests of the conversation alone.

It takes every step it is offered; what happened is a list of values, and so are errors.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from appliance.mail.address import NULL_PATH, parse_path
from appliance.protocol.lines import NEED_DATA
from appliance.protocol.sasl import client as sasl
from appliance.protocol.smtp import client
from appliance.protocol.smtp.client import ClientConnection
from appliance.protocol.smtp.failure import ClientError, Failure
from appliance.protocol.smtp.replyreader import ReplyLimits
from appliance.protocol.smtp.stuffing import Stuffing
from appliance.protocol.smtp.transaction import Recipient, Transaction

LIMITS = ReplyLimits(line_octets=1000, lines=10, reply_octets=2000, kept_characters=200)
CONTENT = b"Subject: x\r\n\r\n.hi\r\n"


def path(text: str) -> Any:
    return parse_path(f"<{text}>".encode(), smtputf8=True) if text else NULL_PATH


def transaction(*recipients: str | Recipient, sender: str = "a@us.example", **changes: Any) -> Transaction:
    """A small message; `b@them.example` without recipients."""
    found = tuple(
        one if isinstance(one, Recipient) else Recipient(path(one)) for one in recipients or ("b@them.example",)
    )
    return Transaction(**({"reverse_path": path(sender), "recipients": found, "size_octets": len(CONTENT)} | changes))


def short(happened: Any) -> str:
    """What happened, in a few words."""
    match happened:
        case client.Settled(outcomes):
            return " | ".join(short(one) for one in outcomes)
        case client.Delivered(reply):
            return f"delivered {reply}"
        case Failure():
            how = "permanent" if happened.permanent else "temporary"
            said = "" if happened.remote else f"({happened.status}) "
            return f"{how} {happened.fault.value} {happened.command}: {said}{happened}"
        case ClientError():
            return f"error {short(happened.failure)}"
        case _:
            return type(happened).__name__


def converse(sending: "Sending", server: bytes, octets_at_once: int) -> list[Any]:
    """What happens when a server says all that, each reply when it is due, those of one group together."""
    happened = []
    while True:
        while (event := sending.next_event()) is not NEED_DATA:
            happened.append(event)
        count = len(sending.connection._pending)
        if not server or not sending.connection.usable or not count:
            return happened
        replies = re.compile(rb"(?:(?:[0-9]{3}-.*\n)*(?:.*(?:\n|\Z))){1,%d}" % count).match(server)
        said, server = server[: replies.end()], server[replies.end() :]
        for at in range(0, len(said), octets_at_once):
            sending.receive_data(said[at : at + octets_at_once])
            while (event := sending.next_event()) is not NEED_DATA:
                happened.append(event)


@dataclass
class Sending:
    """Introduces itself, starts TLS and logs in if that is wanted, sends its messages, and says goodbye."""

    messages: list[Transaction] = field(default_factory=lambda: [transaction()])
    start_tls: bool = False
    mechanism: str = ""
    limits: ReplyLimits = LIMITS

    def __post_init__(self) -> None:
        self.connection = ClientConnection("us.example", self.limits)
        self.sent = b""
        self._left = list(self.messages)
        self._in_tls = self._in_account = self._introduced = False

    def receive_data(self, octets: bytes) -> None:
        self.connection.receive_data(octets)

    def next_event(self) -> Any:
        try:
            event = self.connection.next_event()
            self.sent += self.connection.data_to_send()
            if event is NEED_DATA:
                return event
            self._act(event)
        except ClientError as error:
            self._go_on()
            self.sent += self.connection.data_to_send()
            return short(error)
        self.sent += self.connection.data_to_send()
        return short(event)

    def _act(self, event: Any) -> None:
        connection = self.connection
        match event:
            case client.Greeted():
                connection.hello()
            case client.Introduced():
                self._introduced = True
                if self.start_tls and not self._in_tls:
                    self._in_tls = True
                    connection.start_tls()
                elif self.mechanism and not self._in_account:
                    self._in_account = True
                    login = sasl.Login("user", "pencil")
                    offered = connection.capabilities.mechanisms
                    exchange = sasl.start(
                        self.mechanism, login, sasl.Channel(tls=self._in_tls), offered, "rOprNGfwEbeRWgbNEkqO"
                    )
                    connection.authenticate(self.mechanism, exchange)
                else:
                    self._go_on()
            case client.ReadyForTLS():
                connection.tls_started()
                connection.hello()
            case client.WantsKey(wanted):
                key = hashlib.pbkdf2_hmac(wanted.algorithm, wanted.password, wanted.salt, wanted.iterations)
                connection.key_derived(key)
            case client.WantsContent():
                stuffing = Stuffing()
                self.sent += stuffing.feed(CONTENT) + stuffing.finish()
                connection.content_sent()
            case client.LoggedIn() | client.Settled():
                self._go_on()

    def _go_on(self) -> None:
        """The next message, or the end."""
        connection = self.connection
        if not connection.usable or connection.awaiting is not None:
            return
        try:
            if self._left and self._introduced:
                connection.begin(self._left.pop(0))
            else:
                connection.quit()
        except ClientError as error:
            self.sent += b"!! " + short(error).encode() + b"\r\n"
            if connection.usable:
                self._go_on()
