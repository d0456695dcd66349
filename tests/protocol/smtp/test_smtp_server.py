"""Order, states and lines of the conversation; arguments are tested with the parser."""

from typing import Any

import pytest

from appliance.mail.address import NULL_PATH, Path
from appliance.mail.domain import Domain
from appliance.protocol.lines import NEED_DATA
from appliance.protocol.smtp.command import (
    Auth,
    Bdat,
    Body,
    Data,
    Ehlo,
    Expn,
    Helo,
    Help,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    StartTLS,
    Vrfy,
)
from appliance.protocol.smtp.server import (
    UNKNOWN_VERB,
    AuthAborted,
    AuthResponse,
    Chunk,
    EndOfChunk,
    EndOfData,
    ServerConnection,
)
from appliance.protocol.smtp.settings import Kind, Settings
from support.smtpdriver import Accepting, Broken, settings, whole_chunks
from support.splits import events, every_split

DELIVERY = settings()
SUBMISSION = settings(Kind.SUBMISSION)
A = Domain("a.example", "a.example")
B = Path("b", A)
HELLO = Ehlo(A)
NOBODY = Ehlo(None)
ORDER = Broken(503, "5.5.1")
SYNTAX = Broken(501, "5.5.2")

# One listener, what the client sends (| ends a line), and what comes of it.
CONVERSATIONS = [
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|RCPT TO:<b@a.example>|DATA|x|.|QUIT|", [HELLO, Mail(NULL_PATH), Rcpt(B), Data(), Chunk(b"x\r\n"), EndOfData(False), Quit()], id="a message"),
    pytest.param(DELIVERY, b"HELO a.example|", [Helo(A)], id="HELO"),
    pytest.param(DELIVERY, b"ehlo a.example|Noop|nOOP x y|Help|help me|rset|VRFY x|EXPN x|", [HELLO, Noop(), Noop(), Help(), Help(), Rset(), Vrfy(), Expn()], id="others"),
    pytest.param(DELIVERY, b"VRFY|EXPN|VRFY x|RSET x|QUIT x|QUIT|NOOP|", [SYNTAX, SYNTAX, Vrfy(), SYNTAX, SYNTAX, Quit()], id="arguments, nothing after QUIT"),
    pytest.param(DELIVERY, b"MAIL FROM:<>|RCPT TO:<b@a.example>|DATA|STARTTLS|AUTH PLAIN|", [ORDER] * 5, id="before EHLO"),
    pytest.param(DELIVERY, b"EHLO a.example|RCPT TO:<b@a.example>|DATA|MAIL FROM:<>|DATA|", [HELLO, ORDER, ORDER, Mail(NULL_PATH), ORDER], id="order"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|MAIL FROM:<>|RCPT TO:<b@a.example>|", [HELLO, Mail(NULL_PATH), ORDER, Rcpt(B)], id="nested MAIL keeps the state"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|RSET|RCPT TO:<b@a.example>|", [HELLO, Mail(NULL_PATH), Rset(), ORDER], id="RSET"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|EHLO a.example|RCPT TO:<b@a.example>|", [HELLO, Mail(NULL_PATH), HELLO, ORDER], id="EHLO resets"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|EHLO !|RCPT TO:<b@a.example>|", [HELLO, Mail(NULL_PATH), SYNTAX, Rcpt(B)], id="bad EHLO does not"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|" + b"RCPT TO:<b@a.example>|" * 4 + b"DATA|.|", [HELLO, Mail(NULL_PATH), Rcpt(B), Rcpt(B), Rcpt(B), Broken(452, "4.5.3"), Data(), EndOfData(False)], id="too many recipients"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|RCPT TO:<b@a.example>|DATA|.|DATA|MAIL FROM:<>|", [HELLO, Mail(NULL_PATH), Rcpt(B), Data(), EndOfData(False), ORDER, Mail(NULL_PATH)], id="DATA ends the transaction"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|RCPT TO:<b@a.example>|DATA x|", [HELLO, Mail(NULL_PATH), Rcpt(B), SYNTAX], id="DATA with argument"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|RCPT TO:<b@a.example>|DATA|x\ry|.|MAIL FROM:<>|", [HELLO, Mail(NULL_PATH), Rcpt(B), Data(), EndOfData(True), Mail(NULL_PATH)], id="smuggling leaves the connection usable"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|RCPT TO:<b@a.example>|DATA|" + b"x" * 998 + b"|.|", [HELLO, Mail(NULL_PATH), Rcpt(B), Data(), Chunk(b"x" * 998 + b"\r\n"), EndOfData(False)], id="largest message"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|RCPT TO:<b@a.example>|DATA|" + b"x" * 999 + b"|.|NOOP|", [HELLO, Mail(NULL_PATH), Rcpt(B), Data(), Broken(552, "5.2.3", True)], id="message too large"),
    pytest.param(DELIVERY, b"GET / HTTP/1.1|NOOP|", [Broken(500, "5.5.2", True)], id="HTTP"),
    pytest.param(DELIVERY, b"\x16\x03\x01|NOOP|", [Broken(500, "5.5.2", True)], id="TLS"),
    pytest.param(DELIVERY, b"|NOOP|", [Broken(500, "5.5.2", True)], id="empty first line"),
    pytest.param(DELIVERY, b"NOOP|ETRN x||LHLO x|NOOP\tx|", [Noop()] + [Broken(500, "5.5.1")] * 4, id="unknown later"),
    pytest.param(DELIVERY, b"NOOP " + b"x" * 2041 + b"|NOOP|", [Noop(), Noop()], id="longest line"),
    pytest.param(DELIVERY, b"NOOP " + b"x" * 2042 + b"|NOOP|", [Broken(500, "5.5.0", True)], id="line too long"),
    pytest.param(DELIVERY, b"NOOP \t |RSET \t|EHLO a.example  |MAIL FROM:<> |", [Noop(), Rset(), HELLO, Mail(NULL_PATH)], id="space at the end on port 25"),
    pytest.param(SUBMISSION, b"NOOP |RSET\t|EHLO a.example |", [SYNTAX, SYNTAX, NOBODY], id="space at the end on submission"),
    pytest.param(DELIVERY, b"EHLO a.example|AUTH PLAIN|", [HELLO, ORDER], id="no AUTH on port 25"),
    pytest.param(SUBMISSION, b"EHLO x|MAIL FROM:<>|", [NOBODY, Broken(530, "5.7.0")], id="login needed"),
    pytest.param(SUBMISSION, b"EHLO x|AUTH PLAIN AGEAYg==|MAIL FROM:<>|", [NOBODY, Auth("PLAIN", b"\0a\0b"), Mail(NULL_PATH)], id="login"),
    pytest.param(SUBMISSION, b"EHLO x|AUTH PLAIN|AGEAYg==|AUTH PLAIN|STARTTLS|", [NOBODY, Auth("PLAIN", None), AuthResponse(b"\0a\0b"), ORDER, ORDER], id="login once, no TLS after"),
    pytest.param(SUBMISSION, b"EHLO x|AUTH PLAIN|*|AUTH PLAIN|NOOP NOOP|NOOP|", [NOBODY, Auth("PLAIN", None), AuthAborted(), Auth("PLAIN", None), SYNTAX, Noop()], id="given up, not base64"),
    pytest.param(SUBMISSION, b"EHLO x|AUTH PLAIN||NOOP|", [NOBODY, Auth("PLAIN", None), AuthResponse(b""), Noop()], id="empty response"),
    pytest.param(SUBMISSION, b"EHLO x|AUTH PLAIN|" + b"A" * 12288 + b"|", [NOBODY, Auth("PLAIN", None), Broken(500, "5.5.6", True)], id="response too long"),
    pytest.param(SUBMISSION, b"EHLO x|AUTH LOGIN YQ==|EHLO x|MAIL FROM:<>|AUTH LOGIN YQ==|", [NOBODY, Auth("LOGIN", b"a"), NOBODY, Mail(NULL_PATH), ORDER], id="EHLO keeps the login"),
    pytest.param(settings(starttls=False), b"EHLO a.example|STARTTLS|NOOP|", [HELLO, ORDER, Noop()], id="no certificate"),
    pytest.param(DELIVERY, b"EHLO a.example|STARTTLS x|STARTTLS|NOOP|", [HELLO, SYNTAX, StartTLS()], id="nothing is understood before TLS"),
]  # fmt: skip


@pytest.mark.parametrize(("listener", "octets", "expected"), CONVERSATIONS)
def test_conversation(listener: Settings, octets: bytes, expected: list[Any]) -> None:
    octets = octets.replace(b"|", b"\r\n")
    assert every_split(lambda: Accepting(listener), octets, settle=whole_chunks) == expected
    has_content = b"DATA" in octets or b"BDAT" in octets
    if b"\r" not in octets.replace(b"\r\n", b"") and not has_content and b"x" * 2000 not in octets:
        assert events(Accepting(listener), [octets.replace(b"\r\n", b"\n")]) == expected, "LF ends a command too"


LMTP = settings(Kind.LMTP)
START = b"EHLO a.example|MAIL FROM:<>|RCPT TO:<b@a.example>|"
STARTED = [HELLO, Mail(NULL_PATH), Rcpt(B)]
TOO_LARGE = Broken(552, "5.2.3")

# As above; within the octets of BDAT a line end is written in full.
CHUNKS = [
    pytest.param(DELIVERY, START + b"BDAT 5|a\n.\r\nBDAT 3 LAST|b\r\nQUIT|", [*STARTED, Bdat(5, False), Chunk(b"a\n.\r\n"), EndOfChunk(), Bdat(3, True), Chunk(b"b\r\n"), EndOfData(False), Quit()], id="two chunks"),
    pytest.param(DELIVERY, START + b"bdat 4|\r\n.\rBDAT 0 last|NOOP|", [*STARTED, Bdat(4, False), Chunk(b"\r\n.\r"), EndOfChunk(), Bdat(0, True), EndOfData(False), Noop()], id="empty last one"),
    pytest.param(DELIVERY, START + b"BDAT 0|RSET|BDAT 1 LAST|xNOOP|", [*STARTED, Bdat(0, False), EndOfChunk(), Rset(), ORDER, Noop()], id="RSET"),
    pytest.param(DELIVERY, START + b"BDAT 1|xRCPT TO:<b@a.example>|DATA|MAIL FROM:<>|NOOP|BDAT 1 LAST|yMAIL FROM:<>|", [*STARTED, Bdat(1, False), Chunk(b"x"), EndOfChunk(), ORDER, ORDER, ORDER, Noop(), Bdat(1, True), Chunk(b"y"), EndOfData(False), Mail(NULL_PATH)], id="what may come between"),
    pytest.param(DELIVERY, b"BDAT 6 LAST|QUIT\r\nEHLO a.example|BDAT 6|QUIT\r\nBDAT 6 LAST|QUIT\r\nNOOP|", [ORDER, HELLO, ORDER, ORDER, Noop()], id="no transaction"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<>|BDAT 6 LAST|QUIT\r\nMAIL FROM:<>|", [HELLO, Mail(NULL_PATH), ORDER, Mail(NULL_PATH)], id="no recipient"),
    pytest.param(DELIVERY, START + b"BDAT 1000 LAST|" + b"x" * 1000 + b"NOOP|", [*STARTED, Bdat(1000, True), Chunk(b"x" * 1000), EndOfData(False), Noop()], id="largest"),
    pytest.param(DELIVERY, START + b"BDAT 600|" + b"x" * 600 + b"BDAT 401|" + b"x" * 401 + b"BDAT 1 LAST|xMAIL FROM:<>|", [*STARTED, Bdat(600, False), Chunk(b"x" * 600), EndOfChunk(), TOO_LARGE, ORDER, Mail(NULL_PATH)], id="too large together"),
    pytest.param(DELIVERY, START + b"BDAT 1001|xNOOP|", [*STARTED, Broken(552, "5.2.3", True)], id="too large alone"),
    pytest.param(DELIVERY, b"EHLO a.example|BDAT 99999999999999999999|xNOOP|", [HELLO, Broken(503, "5.5.1", True)], id="endless and out of order"),
    pytest.param(DELIVERY, START + b"BDAT x|NOOP|", [*STARTED, Broken(501, "5.5.4", True)], id="not a size"),
    pytest.param(DELIVERY, START + b"BDAT 1 FIRST|xNOOP|", [*STARTED, Broken(501, "5.5.4", True)], id="not LAST"),
    pytest.param(DELIVERY, START + b"BDAT|NOOP|", [*STARTED, Broken(501, "5.5.4", True)], id="nothing"),
    pytest.param(DELIVERY, START + b"BDAT 123456789012345678901|NOOP|", [*STARTED, Broken(501, "5.5.4", True)], id="too many digits"),
    pytest.param(DELIVERY, b"EHLO a.example|MAIL FROM:<> BODY=BINARYMIME|RCPT TO:<b@a.example>|DATA|BDAT 2 LAST|\0\rNOOP|", [HELLO, Mail(NULL_PATH, body=Body.BINARY_MIME), Rcpt(B), ORDER, Bdat(2, True), Chunk(b"\0\r"), EndOfData(False), Noop()], id="binary"),
    pytest.param(LMTP, b"EHLO a.example|HELO a.example|LHLO a.example|MAIL FROM:<>|DATA|", [Broken(500, "5.5.1"), Broken(500, "5.5.1"), HELLO, Mail(NULL_PATH), ORDER], id="LMTP"),
    pytest.param(LMTP, b"LHLO a.example|AUTH PLAIN|STARTTLS x|", [HELLO, ORDER, SYNTAX], id="no login in LMTP"),
]  # fmt: skip


@pytest.mark.parametrize(("listener", "octets", "expected"), CHUNKS)
def test_chunks(listener: Settings, octets: bytes, expected: list[Any]) -> None:
    assert every_split(lambda: Accepting(listener), octets.replace(b"|", b"\r\n"), settle=whole_chunks) == expected


@pytest.mark.parametrize(
    ("octets", "content", "refused"),
    [
        pytest.param(b"a\nb\r\n\n.\n", b"a\r\nb\r\n\r\n.\r\n", False, id="bare LF"),
        pytest.param(b"a\r\n\r\nb", b"a\r\n\r\nb\r\n", False, id="no end of the last line"),
        pytest.param(b"a\rb\r\n", None, True, id="bare CR"),
        pytest.param(b"a\r\n\r", None, True, id="CR at the end"),
        pytest.param(b"\r\r\n", None, True, id="CR CR LF"),
    ],
)
def test_chunks_of_users_are_text(octets: bytes, content: bytes | None, refused: bool) -> None:
    """What is submitted is sent on by DATA: line ends are made whole, and a bare CR condemns it."""
    beginning = b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@a.example>\r\n"
    for cut in range(len(octets) + 1):
        first, second = octets[:cut], octets[cut:]
        chunks = b"BDAT %d \r\n%bBDAT %d LAST\r\n%b" % (len(first), first, len(second), second)
        happened = every_split(
            lambda: Accepting(SUBMISSION, authenticated=True), beginning + chunks, settle=whole_chunks
        )
        assert happened[-1] == EndOfData(refused)
        if content is not None:
            assert b"".join(one.octets for one in happened if isinstance(one, Chunk)) == content


def test_a_failed_chunk_ends_the_transaction() -> None:
    """Those behind it are dropped; LMTP owes a reply to each recipient for the last one (RFC 2033 §4.3)."""
    driver = Accepting(LMTP)
    hello = b"LHLO a.example\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<b@a.example>\r\n" * 2
    assert events(driver, [hello + b"BDAT 1\r\nx"])[-1] == EndOfChunk()
    driver.connection.chunk_failed()
    assert events(driver, [b"BDAT 1\r\nx"]) == [ORDER]
    assert driver.error is not None
    assert driver.error.times == 1
    assert events(driver, [b"BDAT 6 LAST\r\nQUIT\r\n"]) == [ORDER]
    assert driver.error.times == 2
    assert events(driver, [b"BDAT 0 LAST\r\n"]) == [ORDER]
    assert driver.error.times == 1
    assert events(driver, [b"MAIL FROM:<>\r\nBDAT 0 LAST\r\n"]) == [Mail(NULL_PATH), ORDER]
    assert driver.error.times == 0


def test_octets_behind_starttls_belong_to_the_handshake() -> None:
    driver = Accepting(DELIVERY)
    assert events(driver, [b"EHLO a.example\r\nSTARTTLS\r\nMAIL FROM:<>\r\n"]) == [HELLO, StartTLS()]
    assert driver.handshake == b"MAIL FROM:<>\r\n"
    assert not driver.connection.pending
    # What arrives during the handshake is not understood either, and gone afterwards.
    assert events(driver, [b"RSET\r\n"]) == []
    driver.connection.tls_started()
    assert driver.connection.tls
    assert events(driver, [b"MAIL FROM:<>\r\nEHLO a.example\r\nSTARTTLS\r\n"]) == [ORDER, HELLO, ORDER]


def test_tls_forgets_everything_but_the_certificate() -> None:
    driver = Accepting(SUBMISSION)
    assert events(driver, [b"EHLO x\r\nSTARTTLS\r\n"]) == [NOBODY, StartTLS()]
    driver.connection.tls_started(authenticated=True)
    # Known by certificate; SASL may still be used, once.
    again = b"EHLO x\r\nMAIL FROM:<>\r\nRSET\r\nAUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\n"
    assert events(driver, [again]) == [NOBODY, Mail(NULL_PATH), Rset(), Auth("PLAIN", b"\0a\0b"), ORDER]


def test_tls_from_the_start() -> None:
    driver = Accepting(SUBMISSION, tls=True, authenticated=True)
    assert events(driver, [b"EHLO x\r\nSTARTTLS\r\nMAIL FROM:<> REQUIRETLS\r\n"]) == [
        NOBODY,
        ORDER,
        Mail(NULL_PATH, requiretls=True),
    ]


def test_outcomes_that_are_not_told_come_to_nothing() -> None:
    connection = ServerConnection(DELIVERY, now=lambda: pytest.fail("nobody asked for the time"))
    connection.receive_data(b"EHLO a.example\r\nMAIL FROM:<>\r\n")
    assert connection.next_event() == HELLO
    with pytest.raises(Exception, match="EHLO comes first"):
        connection.next_event()
    connection.hello_accepted()
    connection.receive_data(b"MAIL FROM:<>\r\nRCPT TO:<b@a.example>\r\n")
    assert connection.next_event() == Mail(NULL_PATH)
    with pytest.raises(Exception, match="MAIL comes first"):
        connection.next_event()


def test_pending_lines() -> None:
    driver = Accepting(DELIVERY)
    driver.receive_data(b"NOOP\r\nNOOP\r\nNO")
    assert driver.connection.pending
    driver.next_event()
    assert driver.connection.pending
    driver.next_event()
    assert not driver.connection.pending
    driver.receive_data(b"OP\r\n")
    assert driver.connection.pending


def test_message_content_is_no_pending_line() -> None:
    driver = Accepting(DELIVERY)
    driver.receive_data(b"EHLO a.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@a.example>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n")
    while driver.next_event() != Data():
        pass
    assert not driver.connection.pending
    while driver.next_event() != EndOfData(False):
        pass
    assert driver.connection.pending


@pytest.mark.parametrize(
    ("authenticated", "shown"),
    [pytest.param(True, True, id="to users"), pytest.param(False, False, id="not to strangers")],
)
def test_what_was_not_understood_is_shown(authenticated: bool, shown: bool) -> None:
    driver = Accepting(SUBMISSION, authenticated=authenticated)
    events(driver, [b"NOOP\r\nRSET \x1b[0m strange\r\n"])
    assert driver.error is not None
    assert (b"strange" in driver.error.reply.encode()) == shown
    assert b"\x1b" not in driver.error.reply.encode()
    assert b"strange" in driver.error.remainder


def test_verb_and_line_are_for_logs() -> None:
    driver = Accepting(SUBMISSION)
    events(driver, [b"ehlo x\r\n"])
    assert (driver.connection.verb, driver.connection.line) == ("EHLO", b"ehlo x")
    events(driver, [b"WHAT now\r\n"])
    assert (driver.connection.verb, driver.connection.line) == (UNKNOWN_VERB, b"WHAT now")


def test_after_a_fatal_error_nothing_is_kept() -> None:
    driver = Accepting(DELIVERY)
    assert events(driver, [b"GET /\r\n" + b"x" * 100_000, b"NOOP\r\n" * 1000]) == [Broken(500, "5.5.2", True)]
    assert driver.connection.next_event() is NEED_DATA
    assert driver.connection.take_pending() == b""
