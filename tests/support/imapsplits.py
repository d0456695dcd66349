"""Plays octets into the server's side of an IMAP conversation, cut in every way, and collects what comes of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.base.limits import IMAP
from appliance.protocol.imap.command import Authenticate, Idle, Request
from appliance.protocol.imap.connection import (
    NEED_DATA,
    AppendBegin,
    AppendChunk,
    Command,
    CommandError,
    Event,
    ServerConnection,
)
from appliance.protocol.imap.limits import ImapLimits


@dataclass(frozen=True)
class Failed:
    """A CommandError, to be compared; its words are for people."""

    kind: str
    tag: str | None = None
    code: str | None = None
    fatal: bool = False


def play(
    pieces: Iterable[bytes],
    *,
    authenticated: bool = True,
    utf8: bool = False,
    refuse: bool = False,
    limits: ImapLimits = IMAP,
    experienced: bool = True,
) -> list[Event | Failed]:
    """All events of these pieces, neighbouring chunks joined; a literal is taken, unless `refuse`.

    A driver's part is played too: challenges after AUTHENTICATE without initial response, and IDLE. `experienced`: a
    command came before, so this is known to be an IMAP client.
    """
    connection = ServerConnection(limits)
    connection.authenticated, connection.utf8 = authenticated, utf8
    if experienced:
        connection.receive_data(b"x NOOP\r\n")
        assert isinstance(connection.next_event(), Command)
    found: list[Event | Failed] = []
    for piece in pieces:
        connection.receive_data(piece)
        while True:
            try:
                event = connection.next_event()
            except CommandError as error:
                found.append(Failed(error.kind, error.tag, error.code, error.fatal))
                continue
            if event is NEED_DATA:
                break
            assert not isinstance(event, type(NEED_DATA))
            if isinstance(event, AppendChunk) and found and isinstance(found[-1], AppendChunk):
                found[-1] = AppendChunk(found[-1].octets + event.octets)
                continue
            found.append(event)
            if isinstance(event, AppendBegin):
                connection.refuse_literal() if refuse else connection.accept_literal()
            elif isinstance(event, Command) and isinstance(event.request, Idle):
                connection.expect_idle_done()
            elif isinstance(event, Command) and event.request == Authenticate("PLAIN", None):
                connection.expect_auth_response()
    return found


def every_split(octets: bytes, **options: bool) -> list[Event | Failed]:
    """What comes of the octets; the same whether they come whole, one by one, or cut in two anywhere."""
    whole = play([octets], **options)  # type: ignore[arg-type]
    singly = play([octets[at : at + 1] for at in range(len(octets))], **options)  # type: ignore[arg-type]
    assert singly == whole
    for cut in range(1, len(octets)):
        assert play([octets[:cut], octets[cut:]], **options) == whole, f"cut at {cut}"  # type: ignore[arg-type]
    return whole


def one_request(line: bytes, **options: bool) -> Request | Failed:
    """The one command of `tag a` that the line, without tag and line end, is read as."""
    (event,) = every_split(b"a " + line + b"\r\n", **options)
    if isinstance(event, Command):
        assert event.tag == "a"
        return event.request
    assert isinstance(event, Failed)
    return event
