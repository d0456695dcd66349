"""The client's conversation: what it says, and what it makes of servers of every kind."""

import pytest

from appliance.mail.status import Status
from appliance.protocol.lines import NEED_DATA
from appliance.protocol.smtp.client import ClientConnection, Delivered, common_failure, to_repeat
from appliance.protocol.smtp.failure import Fault, refused, temporary
from appliance.protocol.smtp.reply import Reply
from support.smtpclientdriver import LIMITS, Sending, converse, short, transaction

EHLO = b"EHLO us.example|"
MAIL, RCPT = b"MAIL FROM:<a@us.example>|", b"RCPT TO:<b@them.example>|"
CONTENT_SENT = b"Subject: x||..hi|.|"
PIPELINING = b"220 hi|250-mx.example|250 PIPELINING|"
PLAIN = b"220 hi|250 mx.example|"
HELLO = ["Greeted", "Introduced"]
TWO = transaction("b@them.example", "c@them.example")


def wire(octets: bytes) -> bytes:
    """`|` ends a line."""
    return octets.replace(b"|", b"\r\n")


# What the server says, what the client says in all, what happens.
CONVERSATIONS = [
    pytest.param({}, PLAIN + b"250 ok|250 ok|354 go|250 2.0.0 queued as 7|221 bye|", EHLO + MAIL + RCPT + b"DATA|" + CONTENT_SENT + b"QUIT|", [*HELLO, "WantsContent", "delivered 250 2.0.0 queued as 7", "Closed"], id="one command at a time"),
    pytest.param({}, PIPELINING + b"250 ok|250 ok|354 go|250 ok|221 bye|", EHLO + MAIL + RCPT + b"DATA|" + CONTENT_SENT + b"QUIT|", [*HELLO, "WantsContent", "delivered 250 ok", "Closed"], id="pipelining"),
    pytest.param({}, b"220 hi|500 what?|250 mx.example|250 ok|251 elsewhere|354 go|250 ok|221 bye|", EHLO + b"HELO us.example|" + MAIL + RCPT + b"DATA|" + CONTENT_SENT + b"QUIT|", [*HELLO, "WantsContent", "delivered 250 ok", "Closed"], id="HELO, 251"),
    pytest.param({}, b"220-hi|220-|220 there|250 mx.example|550|", EHLO + MAIL + b"QUIT|", [*HELLO, "permanent refused mail: 550 5.0.0"], id="a code alone, greeting of several lines"),
    pytest.param({}, b"220 hi\n250-mx.example\n250 pipelining\n250 ok\n250 ok\n354\n250\n221\n", EHLO + MAIL + RCPT + b"DATA|" + CONTENT_SENT + b"QUIT|", [*HELLO, "WantsContent", "delivered 250", "Closed"], id="LF, lower case"),
    # Refusals.
    pytest.param({}, b"554 5.7.1 no service|221 bye|", b"QUIT|", ["error permanent refused greeting: 554 5.7.1 no service", "Closed"], id="554 greeting"),
    pytest.param({}, b"450 later|", b"QUIT|", ["error temporary refused greeting: 450 4.0.0 later"], id="450 greeting"),
    pytest.param({}, b"221 hi|", b"", ["error temporary protocol greeting: (4.5.0) the server answered 221 hi"], id="221 greeting"),
    pytest.param({}, b"220 hi|550 you are listed|221 bye|", EHLO + b"QUIT|", ["Greeted", "error permanent refused ehlo: 550 5.0.0 you are listed", "Closed"], id="EHLO refused"),
    pytest.param({}, b"220 hi|502 no|504 neither|221 bye|", EHLO + b"HELO us.example|QUIT|", ["Greeted", "error permanent refused helo: 504 5.0.0 neither", "Closed"], id="HELO refused"),
    pytest.param({}, PLAIN + b"451 4.3.0 later|221 bye|", EHLO + MAIL + b"QUIT|", [*HELLO, "temporary refused mail: 451 4.3.0 later", "Closed"], id="MAIL refused"),
    pytest.param({}, PIPELINING + b"550 5.7.1 no|503 5.5.1 what|503 5.5.1 what|221 bye|", EHLO + MAIL + RCPT + b"DATA|QUIT|", [*HELLO, "permanent refused mail: 550 5.7.1 no", "Closed"], id="MAIL refused, pipelining"),
    pytest.param({}, PIPELINING + b"550 no|250 ok|354 go|250 an empty message|221 bye|", EHLO + MAIL + RCPT + b"DATA|.|QUIT|", [*HELLO, "permanent refused mail: 550 5.0.0 no", "Closed"], id="MAIL refused, all else taken"),
    pytest.param({"messages": [TWO]}, PLAIN + b"250 ok|550 5.1.1-who|250 ok|354 go|250 ok|221 bye|", EHLO + MAIL + RCPT + b"RCPT TO:<c@them.example>|DATA|" + CONTENT_SENT + b"QUIT|", [*HELLO, "WantsContent", "permanent refused rcpt: 550 5.0.0 5.1.1-who | delivered 250 ok", "Closed"], id="one of two"),
    pytest.param({"messages": [TWO]}, PLAIN + b"250 ok|550-5.1.1 no such|550 5.1.1 user|452 4.5.3 full|250 reset|250 ok|", EHLO + MAIL + RCPT + b"RCPT TO:<c@them.example>|QUIT|", [*HELLO, "permanent refused rcpt: 550 5.1.1 no such user | temporary refused rcpt: 452 4.5.3 full", "Closed"], id="none of two"),
    pytest.param({"messages": [TWO]}, PIPELINING + b"250 ok|550 no|551 no|503 no|221 bye|", EHLO + MAIL + RCPT + b"RCPT TO:<c@them.example>|DATA|QUIT|", [*HELLO, "permanent refused rcpt: 550 5.0.0 no | permanent refused rcpt: 551 5.0.0 no", "Closed"], id="none of two, pipelining"),
    pytest.param({}, PIPELINING + b"250 ok|550 no|354 go|554 no recipients|221 bye|", EHLO + MAIL + RCPT + b"DATA|.|QUIT|", [*HELLO, "permanent refused rcpt: 550 5.0.0 no", "Closed"], id="DATA taken for nobody"),
    pytest.param({}, PIPELINING + b"250 ok|250 ok|451 busy|221 bye|", EHLO + MAIL + RCPT + b"DATA|QUIT|", [*HELLO, "temporary refused data: 451 4.0.0 busy", "Closed"], id="DATA refused"),
    pytest.param({}, PIPELINING + b"250 ok|250 ok|354 go|550 5.7.1 spam|221 bye|", EHLO + MAIL + RCPT + b"DATA|" + CONTENT_SENT + b"QUIT|", [*HELLO, "WantsContent", "permanent refused content: 550 5.7.1 spam", "Closed"], id="content refused"),
    pytest.param({}, PLAIN + b"550 #5.1.0 Address rejected.|", EHLO + MAIL + b"QUIT|", [*HELLO, "permanent refused mail: 550 5.1.0 Address rejected."], id="a status as Cisco writes it"),
    pytest.param({}, PLAIN + b"550 4.7.1 later|", EHLO + MAIL + b"QUIT|", [*HELLO, "permanent refused mail: 550 5.0.0 4.7.1 later"], id="a status of another class is none"),
    pytest.param({}, PLAIN + b"550 5.7.1\x1b[31m \xff\x07\xc3\xa9|", EHLO + MAIL + b"QUIT|", [*HELLO, "permanent refused mail: 550 5.0.0 5.7.1[31m �é"], id="controls and octets that are no text"),
    # The server leaves.
    pytest.param({}, b"421 4.3.2 stopping|", b"", ["error temporary refused greeting: 421 4.3.2 stopping"], id="421 greeting"),
    pytest.param({}, b"220 hi|421 busy|", EHLO, ["Greeted", "error temporary refused ehlo: 421 4.0.0 busy"], id="421 EHLO"),
    pytest.param({}, PLAIN + b"250 ok|421 busy|", EHLO + MAIL + RCPT, [*HELLO, "temporary refused rcpt: 421 4.0.0 busy"], id="421 RCPT"),
    pytest.param({"messages": [TWO]}, PIPELINING + b"250 ok|550 no|421 busy|", EHLO + MAIL + RCPT + b"RCPT TO:<c@them.example>|DATA|", [*HELLO, "permanent refused rcpt: 550 5.0.0 no | temporary refused rcpt: 421 4.0.0 busy"], id="421 after one answer"),
    pytest.param({}, PIPELINING + b"250 ok|250 ok|354 go|421 busy|", EHLO + MAIL + RCPT + b"DATA|" + CONTENT_SENT, [*HELLO, "WantsContent", "temporary refused content: 421 4.0.0 busy"], id="421 content"),
    # No SMTP.
    pytest.param({}, b"SSH-2.0-x|", b"", ["error temporary protocol greeting: (4.5.0) not a reply: 'SSH-2.0-x'"], id="SSH"),
    pytest.param({}, b"120 x|", b"", ["error temporary protocol greeting: (4.5.0) not a reply: '120 x'"], id="1yz"),
    pytest.param({}, b"220_x|", b"", ["error temporary protocol greeting: (4.5.0) not a reply: '220_x'"], id="no separator"),
    pytest.param({}, b"220-a|221 b|", b"", ["error temporary protocol greeting: (4.5.0) lines of one reply have the codes 220 and 221"], id="two codes"),
    pytest.param({}, b"220 " + b"x" * 2000 + b"|", b"", ["error temporary protocol greeting: (4.5.0) a line of the reply is too long"], id="long line"),
    pytest.param({}, b"220-x|" * 11, b"", ["error temporary protocol greeting: (4.5.0) the reply is too long"], id="many lines"),
    pytest.param({}, (b"220-" + b"x" * 900 + b"|") * 3, b"", ["error temporary protocol greeting: (4.5.0) the reply is too long"], id="much text"),
    pytest.param({}, PLAIN + b"250 ok|250 ok|250 ok|", EHLO + MAIL + RCPT + b"DATA|", [*HELLO, "temporary protocol data: (4.5.0) the server answered 250 ok"], id="DATA without 354"),
    pytest.param({}, PLAIN + b"354 go|", EHLO + MAIL, [*HELLO, "temporary protocol mail: (4.5.0) the server answered 354 go"], id="354 for MAIL"),
    pytest.param({}, PLAIN + b"250 ok|250 ok|354 go|354 go|", EHLO + MAIL + RCPT + b"DATA|" + CONTENT_SENT, [*HELLO, "WantsContent", "temporary protocol content: (4.5.0) the server answered 354 go"], id="354 for the content"),
    pytest.param({"messages": [TWO]}, PIPELINING + b"250 ok|250 ok|junk|", EHLO + MAIL + RCPT + b"RCPT TO:<c@them.example>|DATA|", [*HELLO, "temporary protocol rcpt: (4.5.0) not a reply: 'junk' | temporary protocol rcpt: (4.5.0) not a reply: 'junk'"], id="junk amidst replies"),
    # Several messages.
    pytest.param({"messages": [transaction(), transaction("c@them.example")]}, PLAIN + b"250 ok|550 no|250 reset|250 ok|250 ok|354 go|250 ok|221 bye|", EHLO + MAIL + RCPT + b"RSET|" + MAIL + b"RCPT TO:<c@them.example>|DATA|" + CONTENT_SENT + b"QUIT|", [*HELLO, "permanent refused rcpt: 550 5.0.0 no", "WantsContent", "delivered 250 ok", "Closed"], id="RSET between"),
    pytest.param({"messages": [transaction(), transaction("c@them.example")]}, PIPELINING + b"250 ok|250 ok|451 no|250 reset|250 ok|250 ok|354 go|250 ok|221 bye|", EHLO + MAIL + RCPT + b"DATA|RSET|" + MAIL + b"RCPT TO:<c@them.example>|DATA|" + CONTENT_SENT + b"QUIT|", [*HELLO, "temporary refused data: 451 4.0.0 no", "WantsContent", "delivered 250 ok", "Closed"], id="RSET between, pipelining"),
    pytest.param({"messages": [transaction(), transaction()]}, PIPELINING + b"250 ok|550 no|503 no|502 reset?|", EHLO + MAIL + RCPT + b"DATA|RSET|" + MAIL + RCPT + b"DATA|", [*HELLO, "permanent refused rcpt: 550 5.0.0 no", "temporary protocol rset: (4.5.0) the server answered 502 reset?"], id="RSET refused"),
    pytest.param({"messages": [transaction(), transaction()]}, b"220 hi|250-mx|250 LIMITS MAILMAX=1|250 ok|250 ok|354 go|250 ok|221 bye|", EHLO + MAIL + RCPT + b"DATA|" + CONTENT_SENT + b"!! error temporary limit : (4.5.3) the server takes no more messages on this connection|QUIT|", [*HELLO, "WantsContent", "delivered 250 ok", "Closed"], id="MAILMAX"),
    # Extensions.
    pytest.param({"messages": [transaction(has_8bit=True, ret="HDRS", envid="a+b=c d")]}, b"220 hi|250-mx|250-SIZE 100|250-8BITMIME|250 DSN|", EHLO + b"MAIL FROM:<a@us.example> SIZE=19 BODY=8BITMIME RET=HDRS ENVID=a+2Bb+3Dc+20d|", HELLO, id="parameters"),
    pytest.param({}, b"220 hi|250-mx|250-SIZE|250-8BITMIME|250 DSN|", EHLO + b"MAIL FROM:<a@us.example> SIZE=19 BODY=7BIT|", HELLO, id="SIZE without a number"),
    pytest.param({"messages": [transaction(sender="")]}, PLAIN, EHLO + b"MAIL FROM:<>|", HELLO, id="null reverse-path"),
    pytest.param({"messages": [transaction(size_octets=101)]}, b"220 hi|250-mx|250 SIZE 100|", EHLO + b"!! error permanent unsupported mail: (5.3.4) the message has 101 octets, the server takes 100|QUIT|", HELLO, id="too large"),
    pytest.param({"messages": [transaction(size_octets=101)]}, b"220 hi|250-mx|250 SIZE 0|", EHLO + b"MAIL FROM:<a@us.example> SIZE=101|", HELLO, id="SIZE 0 is no limit"),
    pytest.param({"messages": [transaction(smtputf8=True)]}, b"220 hi|250-mx|250 8BITMIME|", EHLO + b"!! error permanent unsupported mail: (5.6.7) the server does not support SMTPUTF8|QUIT|", HELLO, id="no SMTPUTF8"),
    pytest.param({"messages": [transaction("ö@b.example")]}, PLAIN, EHLO + b"!! error permanent unsupported mail: (5.6.7) the server does not support SMTPUTF8|QUIT|", HELLO, id="an address that needs SMTPUTF8"),
    pytest.param({"messages": [transaction("o@ö.example")]}, b"220 hi|250-mx|250 SMTPUTF8|250 ok|", EHLO + MAIL + b"RCPT TO:<o@xn--nda.example>|", HELLO, id="a domain does not"),
    pytest.param({"messages": [transaction("ö@ö.example")]}, b"220 hi|250-mx|250-8BITMIME|250 SMTPUTF8|250 ok|", EHLO + b"MAIL FROM:<a@us.example> BODY=8BITMIME SMTPUTF8|RCPT TO:<\xc3\xb6@\xc3\xb6.example>|", HELLO, id="SMTPUTF8"),
    pytest.param({"messages": [transaction(has_8bit=True)]}, PLAIN, EHLO + MAIL, HELLO, id="8 bit goes all the same"),
    pytest.param({"messages": [transaction(has_8bit=True, insist_8bitmime=True)]}, PLAIN, EHLO + b"!! error permanent unsupported mail: (5.6.3) the server does not support 8BITMIME|QUIT|", HELLO, id="unless 8BITMIME is demanded"),
    pytest.param({"messages": [transaction(requiretls=True)]}, b"220 hi|250-mx|250 REQUIRETLS|", EHLO + b"!! error permanent unsupported mail: (5.7.30) the server does not support REQUIRETLS|QUIT|", HELLO, id="REQUIRETLS without TLS"),
    # STARTTLS.
    pytest.param({"start_tls": True, "messages": [transaction(requiretls=True)]}, b"220 hi|250-mx|250-PIPELINING|250 STARTTLS|", EHLO + b"STARTTLS|", HELLO, id="STARTTLS"),
    pytest.param({"start_tls": True}, b"220 hi|250-mx|250 STARTTLS|454 4.7.0 no entropy|", EHLO + b"STARTTLS|" + MAIL, [*HELLO, "error temporary tls starttls: 454 4.7.0 no entropy"], id="STARTTLS refused"),
    pytest.param({"start_tls": True}, b"220 hi|250-mx|250 STARTTLS|501 what|", EHLO + b"STARTTLS|" + MAIL, [*HELLO, "error temporary tls starttls: 501 5.0.0 what"], id="STARTTLS refused for good is not for good"),
    # AUTH.
    pytest.param({"mechanism": "PLAIN"}, b"220 hi|250-mx|250 AUTH PLAIN|235 welcome|", EHLO + b"AUTH PLAIN AHVzZXIAcGVuY2ls|" + MAIL, [*HELLO, "LoggedIn"], id="PLAIN"),
    pytest.param({"mechanism": "LOGIN"}, b"220 hi|250-mx|250 AUTH LOGIN|334 VXNlcm5hbWU6|334 UGFzc3dvcmQ6|235 welcome|", EHLO + b"AUTH LOGIN|dXNlcg==|cGVuY2ls|" + MAIL, [*HELLO, "LoggedIn"], id="LOGIN"),
    pytest.param({"mechanism": "EXTERNAL"}, b"220 hi|250-mx|250 AUTH EXTERNAL|235 welcome|", EHLO + b"AUTH EXTERNAL =|" + MAIL, [*HELLO, "LoggedIn"], id="EXTERNAL"),
    # RFC 2195 §2 with another name and secret; the digest is from OpenSSL.
    pytest.param({"mechanism": "CRAM-MD5"}, b"220 hi|250-mx|250 AUTH CRAM-MD5|334 PDEuMkB4Pg==|235 welcome|", EHLO + b"AUTH CRAM-MD5|dXNlciAwNDc1YjM0MmY1YzBkN2QzZWEyNjkwNTQwNTM2ODRiYQ==|" + MAIL, [*HELLO, "LoggedIn"], id="CRAM-MD5"),
    pytest.param({"mechanism": "PLAIN"}, b"220 hi|250-mx|250 AUTH PLAIN|535 5.7.8 wrong|", EHLO + b"AUTH PLAIN AHVzZXIAcGVuY2ls|" + MAIL, [*HELLO, "error temporary login auth: 535 5.7.8 wrong"], id="wrong password"),
    pytest.param({"mechanism": "PLAIN"}, b"220 hi|250-mx|250 AUTH PLAIN|334 |", EHLO + b"AUTH PLAIN AHVzZXIAcGVuY2ls|", [*HELLO, "error temporary login auth: (4.7.0) the server goes on after the end of the exchange"], id="a challenge too many"),
    pytest.param({"mechanism": "LOGIN"}, b"220 hi|250-mx|250 AUTH LOGIN|334 !!|", EHLO + b"AUTH LOGIN|", [*HELLO, "error temporary protocol auth: (4.5.0) the server's challenge is not base64"], id="no base64"),
    pytest.param({"mechanism": "LOGIN"}, b"220 hi|250-mx|250 AUTH LOGIN|334 VXNlcm5hbWU6|235 welcome|", EHLO + b"AUTH LOGIN|dXNlcg==|", [*HELLO, "error temporary login auth: (4.7.0) the server ended the exchange before it was complete"], id="a login too easy"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "server", "client", "happened"), CONVERSATIONS)
@pytest.mark.parametrize("octets_at_once", [1, 2, 7, 100_000])
def test_conversation(options, server, client, happened, octets_at_once):
    sending = Sending(**options)
    assert converse(sending, wire(server), octets_at_once) == happened
    assert sending.sent == wire(client)


# Octets that no reply was due for (RFC 3207 §4.2 for those behind STARTTLS).
@pytest.mark.parametrize(("options", "server", "last"), [
    pytest.param({}, b"220 hi|250 mx|", "error temporary protocol ehlo: (4.5.0) the server said something unasked", id="a reply too many"),
    pytest.param({}, b"220 hi|25", "error temporary protocol ehlo: (4.5.0) the server said something unasked", id="part of one"),
    pytest.param({}, b"220 hi|421 changed my mind|", "error temporary refused ehlo: 421 4.0.0 changed my mind", id="421 after all"),
    pytest.param({"start_tls": True}, b"220 hi|250-mx|250 STARTTLS|220 go|250 injected|", "error temporary tls starttls: (4.7.0) octets came before the TLS handshake", id="injected"),
    pytest.param({"start_tls": True}, b"220 hi|250-mx|250 STARTTLS|220 go|\x16", "error temporary tls starttls: (4.7.0) octets came before the TLS handshake", id="a handshake too early"),
])  # fmt: skip
def test_unasked(options, server, last):
    sending = Sending(**options)
    *turns, end = wire(server).splitlines(keepends=True)
    for at, turn in enumerate(turns):
        # What is unasked comes in one packet with what was asked.
        sending.receive_data(turn + (end if at == len(turns) - 1 else b""))
        while (event := sending.next_event()) is not NEED_DATA:
            happened = event
    assert happened == last
    assert not sending.connection.usable
    assert sending.next_event() is NEED_DATA


def test_unasked_before_a_message():
    sending = Sending()
    for turn in (b"220 hi|", b"250 mx|250 ok|"):
        sending.receive_data(wire(turn))
        while sending.next_event() is not NEED_DATA:
            pass
    assert sending.sent == wire(EHLO + b"!! error temporary protocol mail: (4.5.0) the server said something unasked|")
    assert not sending.connection.in_transaction


def begun(server: bytes, *recipients: str) -> ClientConnection:
    """A conversation that waits for its message's content."""
    connection = ClientConnection("us.example", LIMITS)
    for turn in (b"220 hi|", b"250-mx|250-DSN|250 PIPELINING|"):
        connection.receive_data(wire(turn))
        connection.next_event()
        if turn.startswith(b"220"):
            connection.hello()
    connection.begin(transaction(*recipients))
    connection.receive_data(wire(server))
    return connection


@pytest.mark.parametrize(("early", "outcome"), [
    (b"552 5.3.4 enough|", "permanent refused content: 552 5.3.4 enough"),
    (b"421 stopping|", "temporary refused content: 421 4.0.0 stopping"),
    (b"250 ok|", "temporary protocol content: (4.5.0) the server answered 250 ok before it had the message"),
    (b"what|", "temporary protocol content: (4.5.0) not a reply: 'what'"),
])  # fmt: skip
def test_answer_before_the_end_of_the_message(early, outcome):
    connection = begun(b"250 ok|250 ok|354 go|")
    assert short(connection.next_event()) == "WantsContent"
    connection.receive_data(wire(early))
    assert short(connection.next_event()) == outcome
    assert not connection.usable
    assert not connection.in_transaction


def test_abandoned():
    connection = begun(b"250 ok|550 5.1.1 no|250 ok|", "b@x.example", "c@x.example", "d@x.example")
    assert connection.next_event() is NEED_DATA
    lost = temporary(Fault.CONNECTION, "rcpt", Status(4, 4, 2), "gone")
    settled = connection.abandon(lost)
    assert short(settled) == "permanent refused rcpt: 550 5.1.1 no | " + " | ".join(
        ["temporary connection rcpt: (4.4.2) gone"] * 2
    )
    assert connection.abandon(lost) is None
    assert connection.next_event() is NEED_DATA
    assert not connection.usable


def test_requiretls_within_tls():
    sending = Sending(messages=[transaction(requiretls=True)], start_tls=True)
    happened = []
    for turn in (b"220 hi|", b"250-mx|250-REQUIRETLS|250 STARTTLS|", b"220 go|", b"250-mx|250 REQUIRETLS|"):
        sending.receive_data(wire(turn))
        while (event := sending.next_event()) is not NEED_DATA:
            happened.append(event)
    assert happened == ["Greeted", "Introduced", "ReadyForTLS", "Introduced"]
    assert sending.sent == wire(EHLO + b"STARTTLS|" + EHLO + b"MAIL FROM:<a@us.example> REQUIRETLS|")


def test_what_was_offered_before_tls_is_forgotten():
    sending = Sending(messages=[transaction(smtputf8=True)], start_tls=True)
    for turn in (b"220 hi|", b"250-mx|250-SMTPUTF8|250 STARTTLS|", b"220 go|", b"250 mx|"):
        sending.receive_data(wire(turn))
        while sending.next_event() is not NEED_DATA:
            pass
    assert b"!! error permanent unsupported" in sending.sent


def test_text_of_replies_is_shortened():
    """A message has as many replies as recipients, and a server may say much in each."""
    connection = begun(b"250 ok|550 5.1.1 " + b"x" * 900 + b"|250 ok|", "b@x.example", "c@x.example")
    connection.next_event()
    failure = connection.abandon(temporary(Fault.CONNECTION, "", Status(4, 4, 2), "gone")).outcomes[0]
    assert sum(map(len, failure.lines)) < LIMITS.kept_characters


def test_commands_have_no_line_ends():
    """Envelopes are parsed before; this is the second lock."""
    connection = begun(b"250 ok|250 ok|451 later|")
    connection.next_event()
    with pytest.raises(ValueError):
        connection.begin(transaction(ret="FULL\r\nDATA"))


def test_long_initial_response_waits_for_the_server():
    class LongName(Sending):
        def _act(self, event):
            if short(event) == "Introduced" and not self._in_account:
                from appliance.protocol.sasl import client as sasl

                self._in_account = True
                self.connection.authenticate("PLAIN", sasl.plain(sasl.Login("user", "p" * 500)))
            else:
                super()._act(event)

    sending = LongName()
    server = wire(b"220 hi|250-mx|250 AUTH PLAIN|334 |235 ok|")
    assert converse(sending, server, 1000) == ["Greeted", "Introduced", "LoggedIn"]
    first, second, _ = sending.sent.split(b"\r\n")[1:4]
    assert (first, len(second)) == (b"AUTH PLAIN", 676)


NO = refused("rcpt", Reply(452, None, ("too many",)))
OLD = refused("rcpt", Reply(552, None, ("too many",)))
FULL = refused("rcpt", Reply(550, None, ("full",)))
SPAM = refused("content", Reply(552, None, ("spam",)))
YES = Delivered(Reply(250, None, ("ok",)))


@pytest.mark.parametrize(("outcomes", "again", "common"), [
    ([YES, NO, OLD, FULL], [1, 2], None),
    ([NO, YES], [0], None),
    ([NO, NO, FULL], [], None),
    ([SPAM, SPAM, NO], [], None),
    ([SPAM, SPAM], [], SPAM),
    ([FULL], [], FULL),
    ([YES], [], None),
])  # fmt: skip
def test_outcomes(outcomes, again, common):
    assert to_repeat(outcomes) == again
    assert common_failure(outcomes) is common
    assert [one.secode for one in outcomes if one is FULL] == ["0.0"] * outcomes.count(FULL)
