"""An SMTP server conversation whose driver says yes to everything, for tests of the conversation alone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from appliance.protocol.smtp import command
from appliance.protocol.smtp.reply import ProtocolError
from appliance.protocol.smtp.server import AuthResponse, Chunk, EndOfData, ServerConnection
from appliance.protocol.smtp.settings import Kind, Settings, SMTPLimits

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LIMITS = SMTPLimits(
    line_octets=2048,
    auth_line_octets=12288,
    recipients=3,
    usual_message_octets=100 * 1024 * 1024,
    future_release_seconds=5184000,
)


def settings(kind: Kind = Kind.DELIVERY, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "kind": kind,
        "hostname": "mx.example",
        "max_message_octets": 1000,
        "starttls": True,
        "requiretls": True,
        "future_release": kind is Kind.SUBMISSION,
        "pedantic": False,
        "limits": LIMITS,
    }
    return Settings(**(values | changes))


@dataclass(frozen=True)
class Broken:
    """A ProtocolError as an event."""

    code: int
    status: str
    fatal: bool = False


class Accepting:
    """Tells the conversation that everything was accepted; `logins` responses make an AUTH succeed."""

    def __init__(self, listener: Settings, *, responses: int = 1, **connection: Any) -> None:
        self.connection = ServerConnection(listener, now=lambda: NOW, **connection)
        self.error: ProtocolError | None = None
        self.handshake = b""
        self._expected = responses
        self._responses = 0

    def receive_data(self, octets: bytes) -> None:
        self.connection.receive_data(octets)

    def next_event(self) -> Any:
        try:
            event = self.connection.next_event()
        except ProtocolError as error:
            self.error = error
            return Broken(error.reply.code, str(error.reply.status), error.fatal)
        self._accept(event)
        return event

    def _accept(self, event: Any) -> None:
        connection = self.connection
        match event:
            case command.Helo() | command.Ehlo():
                connection.hello_accepted()
            case command.Mail():
                connection.mail_accepted()
            case command.Rcpt():
                connection.recipient_accepted()
            case command.Data():
                connection.begin_data()
            case command.StartTLS():
                self.handshake = connection.take_pending()
            case command.Auth(initial=initial):
                self._responses = 0
                self._answered(initial is not None)
            case AuthResponse():
                self._answered(True)

    def _answered(self, responded: bool) -> None:
        self._responses += responded
        if self._responses < self._expected:
            self.connection.expect_line()
        else:
            self.connection.authenticated_by_sasl()


def whole_chunks(happened: list[Any]) -> list[Any]:
    """Chunks that follow one another as one. What was handed out of a refused message is nobody's concern."""
    settled: list[Any] = []
    for event in happened:
        if isinstance(event, Chunk) and settled and isinstance(settled[-1], Chunk):
            settled[-1] = Chunk(settled[-1].octets + event.octets)
            continue
        refused = (isinstance(event, EndOfData) and event.smuggling) or (isinstance(event, Broken) and event.fatal)
        if refused:
            begin = max((at for at, one in enumerate(settled) if isinstance(one, command.Mail)), default=0)
            settled[begin:] = [one for one in settled[begin:] if not isinstance(one, Chunk)]
        settled.append(event)
    return settled
