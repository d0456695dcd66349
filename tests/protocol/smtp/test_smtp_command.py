"""Arguments of commands: what they become, and with which codes they are refused."""

import ipaddress
from datetime import UTC, datetime
from typing import Any

import pytest

from appliance.mail.address import NULL_PATH, Path
from appliance.mail.domain import Domain, IPLiteral
from appliance.protocol.smtp import command
from appliance.protocol.smtp.command import Auth, Body, FutureRelease, Mail, Rcpt
from appliance.protocol.smtp.reply import ProtocolError
from appliance.protocol.smtp.settings import Kind, Settings
from support.smtpdriver import NOW, settings

DELIVERY = settings()
SUBMISSION = settings(Kind.SUBMISSION)
PEDANTIC = settings(pedantic=True)
B = Domain("b.example", "b.example")
AB = Path("a", B)


def refusal(parse: Any, *args: Any, **keywords: Any) -> str:
    with pytest.raises(ProtocolError) as caught:
        parse(*args, **keywords)
    assert not caught.value.fatal
    return f"{caught.value.reply.code} {caught.value.reply.status}"


def mail(argument: bytes, listener: Settings = DELIVERY, *, tls: bool = True) -> Mail:
    return command.parse_mail(argument, listener, tls=tls, now=lambda: NOW)


@pytest.mark.parametrize(
    ("argument", "listener", "expected"),
    [
        pytest.param(b"FROM:<>", DELIVERY, Mail(NULL_PATH), id="null path"),
        pytest.param(b"from:<a@b.example>", DELIVERY, Mail(AB), id="lower case"),
        pytest.param(b"FROM: <a@b.example>", DELIVERY, Mail(AB), id="space after colon"),
        pytest.param(b"FROM:<@x.example,@y.example:a@b.example>", DELIVERY, Mail(AB), id="source route"),
        pytest.param(b'FROM:<"x>y"@b.example>', DELIVERY, Mail(Path("x>y", B)), id="bracket in quotes"),
        pytest.param(b"FROM:<a@[192.0.2.1]>", DELIVERY, Mail(Path("a", IPLiteral(ipaddress.IPv4Address("192.0.2.1")))), id="literal"),
        pytest.param(b"FROM:<" + b"l" * 128 + b"@b.example>", DELIVERY, Mail(Path("l" * 128, B)), id="long localpart"),
        pytest.param(b"FROM:<a@b.example> SIZE=1000", DELIVERY, Mail(AB, 1000), id="size"),
        pytest.param(b"FROM:<a@b.example> size=0 body=8bitmime", DELIVERY, Mail(AB, 0, Body.EIGHT_BIT_MIME), id="lower parameters"),
        pytest.param(b"FROM:<> BODY=BinaryMIME", DELIVERY, Mail(NULL_PATH, body=Body.BINARY_MIME), id="binary"),
        pytest.param(b"FROM:<a@b.example>  BODY=7BIT", DELIVERY, Mail(AB, body=Body.SEVEN_BIT), id="two spaces"),
        pytest.param(b"FROM:<a@b.example> AUTH=<>", DELIVERY, Mail(AB), id="auth null"),
        pytest.param(b"FROM:<a@b.example> AUTH=e+3Dmc2@b.example", DELIVERY, Mail(AB), id="auth xtext"),
        pytest.param(b"FROM:<a@b.example> REQUIRETLS", DELIVERY, Mail(AB, requiretls=True), id="requiretls"),
        pytest.param("FROM:<\u00e9@b.example> SMTPUTF8".encode(), DELIVERY, Mail(Path("\u00e9", B), smtputf8=True), id="smtputf8"),
        pytest.param("FROM:<e\u0301@b.example> SMTPUTF8".encode(), DELIVERY, Mail(Path("\u00e9", B), smtputf8=True), id="NFC"),
        pytest.param(
            b"FROM:<> HOLDFOR=60", SUBMISSION,
            Mail(NULL_PATH, release=FutureRelease(datetime(2026, 3, 1, 12, 1, tzinfo=UTC), "for;60")), id="holdfor",
        ),
        pytest.param(
            b"FROM:<> HOLDFOR=5184000", SUBMISSION,
            Mail(NULL_PATH, release=FutureRelease(datetime(2026, 4, 30, 12, 0, tzinfo=UTC), "for;5184000")), id="holdfor longest",
        ),
        pytest.param(
            b"FROM:<> HOLDUNTIL=2026-03-02T00:00:00.25Z", SUBMISSION,
            Mail(NULL_PATH, release=FutureRelease(datetime(2026, 3, 2, 0, 0, 0, 250000, tzinfo=UTC), "until;2026-03-02T00:00:00.25Z")),
            id="holduntil",
        ),
    ],
)  # fmt: skip
def test_mail(argument: bytes, listener: Settings, expected: Mail) -> None:
    assert mail(argument, listener) == expected


@pytest.mark.parametrize(
    ("argument", "listener", "expected"),
    [
        pytest.param(b"", DELIVERY, "501 5.5.2", id="nothing"),
        pytest.param(b"TO:<a@b.example>", DELIVERY, "501 5.5.2", id="TO"),
        pytest.param(b"FROM:a@b.example", DELIVERY, "501 5.5.2", id="no brackets"),
        pytest.param(b"FROM:<a@b.example", DELIVERY, "501 5.5.2", id="open bracket"),
        pytest.param(b"FROM:  <a@b.example>", DELIVERY, "501 5.5.2", id="two spaces"),
        pytest.param(b"FROM: <a@b.example>", PEDANTIC, "501 5.5.2", id="space, pedantic"),
        pytest.param(b"FROM:<a@b.example>  SIZE=1", PEDANTIC, "501 5.5.2", id="spaces between, pedantic"),
        pytest.param(b"FROM:<" + b"l" * 129 + b"@b.example>", DELIVERY, "501 5.5.2", id="long localpart"),
        pytest.param(b"FROM:<" + b"l" * 65 + b"@b.example>", PEDANTIC, "501 5.5.2", id="long localpart, pedantic"),
        pytest.param(b"FROM:<postmaster>", DELIVERY, "501 5.5.2", id="no domain"),
        pytest.param(b"FROM:<a b@c.example>", DELIVERY, "501 5.5.2", id="space in localpart"),
        pytest.param(b"FROM:<\xff@b.example> SMTPUTF8", DELIVERY, "501 5.5.2", id="not UTF-8"),
        pytest.param("FROM:<\u00e9@b.example>".encode(), DELIVERY, "550 5.6.7", id="without SMTPUTF8"),
        pytest.param(b"FROM:<a@b.example>SIZE=1", DELIVERY, "501 5.5.2", id="no space"),
        pytest.param(b"FROM:<a@b.example> SIZE=1 size=1", DELIVERY, "501 5.5.4", id="twice"),
        pytest.param(b"FROM:<a@b.example> TRET=HDRS", DELIVERY, "555 5.3.3", id="unknown"),
        pytest.param(b"FROM:<a@b.example> =1", DELIVERY, "501 5.5.2", id="no name"),
        pytest.param(b"FROM:<a@b.example> SIZE", DELIVERY, "501 5.5.2", id="size without value"),
        pytest.param(b"FROM:<a@b.example> SIZE=-1", DELIVERY, "501 5.5.2", id="size below nothing"),
        pytest.param(b"FROM:<a@b.example> SIZE=" + b"1" * 21, DELIVERY, "501 5.5.2", id="size with 21 digits"),
        pytest.param(b"FROM:<a@b.example> SIZE=1001", DELIVERY, "552 5.2.3", id="over this listener"),
        pytest.param(b"FROM:<a@b.example> SIZE=104857600", DELIVERY, "552 5.3.4", id="over the product"),
        pytest.param(b"FROM:<a@b.example> BODY=BINARYMIME", SUBMISSION, "555 5.5.4", id="binary on submission"),
        pytest.param(b"FROM:<a@b.example> BODY=9BIT", DELIVERY, "555 5.5.4", id="body"),
        pytest.param(b"FROM:<a@b.example> AUTH=a+3db", DELIVERY, "501 5.5.2", id="auth not xtext"),
        pytest.param(b"FROM:<a@b.example> SMTPUTF8=1", DELIVERY, "501 5.5.2", id="flag with value"),
        pytest.param(b"FROM:<a@b.example> REQUIRETLS", settings(requiretls=False), "555 5.3.3", id="requiretls disabled"),
        pytest.param(b"FROM:<a@b.example> HOLDFOR=60", DELIVERY, "555 5.3.3", id="holdfor on delivery"),
        pytest.param(b"FROM:<> HOLDFOR=0", SUBMISSION, "501 5.5.2", id="holdfor 0"),
        pytest.param(b"FROM:<> HOLDFOR=060", SUBMISSION, "501 5.5.2", id="holdfor leading zero"),
        pytest.param(b"FROM:<> HOLDFOR=1234567890", SUBMISSION, "501 5.5.2", id="holdfor ten digits"),
        pytest.param(b"FROM:<> HOLDFOR=5184001", SUBMISSION, "554 5.5.4", id="holdfor too long"),
        pytest.param(b"FROM:<> HOLDUNTIL=2026-03-01T11:59:59Z", SUBMISSION, "554 5.5.4", id="holduntil past"),
        pytest.param(b"FROM:<> HOLDUNTIL=2026-04-30T12:00:01Z", SUBMISSION, "554 5.5.4", id="holduntil too far"),
        pytest.param(b"FROM:<> HOLDUNTIL=2026-03-02T00:00:00+00:00", SUBMISSION, "501 5.5.2", id="holduntil zone"),
        pytest.param(b"FROM:<> HOLDUNTIL=2026-02-30T00:00:00Z", SUBMISSION, "501 5.5.2", id="holduntil no such day"),
        pytest.param(b"FROM:<> HOLDUNTIL=2026-03-02T00:00:00Z HOLDFOR=60", SUBMISSION, "501 5.5.4", id="both"),
    ],
)  # fmt: skip
def test_mail_refused(argument: bytes, listener: Settings, expected: str) -> None:
    assert refusal(mail, argument, listener) == expected


@pytest.mark.parametrize("enabled", [True, False])
def test_requiretls_without_tls(enabled: bool) -> None:
    assert refusal(mail, b"FROM:<> REQUIRETLS", settings(requiretls=enabled), tls=False) == "523 5.7.10"


def rcpt(argument: bytes, listener: Settings = DELIVERY, *, smtputf8: bool = False) -> Rcpt:
    return command.parse_rcpt(argument, listener, smtputf8=smtputf8)


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        pytest.param(b"TO:<a@b.example>", AB, id="usual"),
        pytest.param(b"to: <a@b.example>", AB, id="space"),
        pytest.param(b"TO:<PostMaster>", Path("PostMaster", None), id="postmaster"),
        pytest.param(b'TO:<""@b.example>', Path("", Domain("b.example", "b.example")), id="empty localpart"),
        pytest.param(
            b"TO:<a@under_score.example>",
            Path("a", Domain("under_score.example", "under_score.example")),
            id="underscore",
        ),
    ],
)
def test_rcpt(argument: bytes, path: Path) -> None:
    assert rcpt(argument) == Rcpt(path)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        pytest.param(b"TO:<>", "501 5.5.2", id="null path"),
        pytest.param(b"TO:a@b.example", "501 5.5.2", id="no brackets"),
        pytest.param(b"TO:<a@b.example> RET=FULL", "555 5.3.3", id="parameter of MAIL"),
        pytest.param(b"TO:<a@b.example> ?", "501 5.5.2", id="no parameter"),
        pytest.param("TO:<\u00e9@b.example>".encode(), "553 5.6.7", id="without SMTPUTF8"),
        pytest.param(b"TO:<@" + b"r" * 63 + b"." + b"r" * 63 + b":" + b"l" * 100 + b"@" + b"d" * 20 + b".example>", "501 5.5.2", id="257 octets"),
    ],
)  # fmt: skip
def test_rcpt_refused(argument: bytes, expected: str) -> None:
    assert refusal(rcpt, argument) == expected


HOST = Domain("a.example", "a.example")


@pytest.mark.parametrize(
    ("argument", "listener", "host"),
    [
        pytest.param(b"a.example", DELIVERY, HOST, id="domain"),
        pytest.param(b"A.Example", DELIVERY, HOST, id="case"),
        pytest.param(b"WIN_PC.example", DELIVERY, Domain("win_pc.example", "win_pc.example"), id="underscore"),
        pytest.param(b"[192.0.2.1]", DELIVERY, IPLiteral(ipaddress.IPv4Address("192.0.2.1")), id="IPv4"),
        pytest.param(b"[IPv6:2001:db8::1]", DELIVERY, IPLiteral(ipaddress.IPv6Address("2001:db8::1")), id="IPv6"),
        pytest.param(
            b"[192.0.2.1] my host", DELIVERY, IPLiteral(ipaddress.IPv4Address("192.0.2.1")), id="words behind literal"
        ),
        pytest.param(b"\xff any(thing)", SUBMISSION, None, id="submission"),
        pytest.param(b"", SUBMISSION, None, id="submission, nothing"),
    ],
)
def test_ehlo(argument: bytes, listener: Settings, host: Any) -> None:
    assert command.parse_ehlo(argument, listener).host == host


@pytest.mark.parametrize(
    "argument", [b"", b"a b", b"a.example b", b"[::1]", b"[192.0.2.1]x", b"-", b"\xff", b"[", b"a..b"]
)
@pytest.mark.parametrize("listener", [DELIVERY, settings(Kind.SUBMISSION, pedantic=True)], ids=["delivery", "pedantic"])
def test_ehlo_refused(argument: bytes, listener: Settings) -> None:
    assert refusal(command.parse_ehlo, argument, listener) == "501 5.5.2"


def test_helo_takes_a_domain_only() -> None:
    assert command.parse_helo(b"a.example", DELIVERY).host == HOST
    assert command.parse_helo(b"[192.0.2.1]", SUBMISSION).host is None
    assert refusal(command.parse_helo, b"[192.0.2.1]", DELIVERY) == "501 5.5.2"
    assert refusal(command.parse_helo, b"", DELIVERY) == "501 5.5.2"


@pytest.mark.parametrize(
    ("argument", "event"),
    [
        pytest.param(b"PLAIN", Auth("PLAIN", None), id="no response"),
        pytest.param(b"PLAIN =", Auth("PLAIN", b""), id="empty response"),
        pytest.param(b"PLAIN AGEAYg==", Auth("PLAIN", b"\0a\0b"), id="response"),
        pytest.param(b"PLAIN   AGEAYg==", Auth("PLAIN", b"\0a\0b"), id="spaces"),
        pytest.param(b"SCRAM-SHA-256-PLUS", Auth("SCRAM-SHA-256-PLUS", None), id="digits and hyphens"),
    ],
)
def test_auth(argument: bytes, event: Auth) -> None:
    assert command.parse_auth(argument, SUBMISSION) == event


@pytest.mark.parametrize(
    "argument",
    [b"", b" ", b"plain", b"PLAIN ", b"PLAIN   ", b"A" * 21, b"PLAIN *", b"PLAIN AGEAYg", b"PLAIN A", b"PLAIN AGEA Yg==", b"PL\xff", b"PLAIN \xff"],
)  # fmt: skip
def test_auth_refused(argument: bytes) -> None:
    assert refusal(command.parse_auth, argument, SUBMISSION) == "501 5.5.2"


def test_pedantic_auth_takes_one_space() -> None:
    assert refusal(command.parse_auth, b"PLAIN  AGEAYg==", settings(Kind.SUBMISSION, pedantic=True)) == "501 5.5.2"
