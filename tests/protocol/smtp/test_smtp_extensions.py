import pytest

from appliance.protocol.smtp.extensions import ehlo_reply, greeting, helo_reply
from appliance.protocol.smtp.settings import Kind, Settings
from support.smtpdriver import NOW, settings

LAST = ["DSN", "LIMITS RCPTMAX=3", "SMTPUTF8"]
FIRST = ["mx.example", "PIPELINING", "SIZE 1000"]
HOLD = "FUTURERELEASE 5184000 2026-04-30T12:00:00Z"


@pytest.mark.parametrize(
    ("listener", "tls", "mechanisms", "middle"),
    [
        pytest.param(settings(), False, [], ["STARTTLS"], id="delivery"),
        pytest.param(settings(), True, [], ["REQUIRETLS"], id="delivery with TLS"),
        pytest.param(settings(starttls=False, requiretls=False), True, [], [], id="neither"),
        pytest.param(settings(starttls=False), False, ["PLAIN"], [], id="no AUTH on delivery"),
        pytest.param(settings(Kind.SUBMISSION), False, [], ["STARTTLS", HOLD], id="no empty AUTH"),
        pytest.param(settings(Kind.SUBMISSION), True, ["PLAIN", "LOGIN"], ["REQUIRETLS", "AUTH PLAIN LOGIN", HOLD], id="submission"),
    ],
)  # fmt: skip
def test_ehlo(listener: Settings, tls: bool, mechanisms: list[str], middle: list[str]) -> None:
    reply = ehlo_reply(listener, tls=tls, mechanisms=mechanisms, now=NOW)
    assert (reply.code, reply.status) == (250, None)
    binary = [] if listener.submission else ["BINARYMIME"]
    assert list(reply.text) == [*FIRST, *middle, "ENHANCEDSTATUSCODES", "8BITMIME", "CHUNKING", *binary, *LAST]


def test_helo_is_one_line() -> None:
    assert helo_reply(settings()).encode() == b"250 mx.example\r\n"


@pytest.mark.parametrize(("kind", "word"), [(Kind.DELIVERY, "ESMTP"), (Kind.SUBMISSION, "ESMTP"), (Kind.LMTP, "LMTP")])
def test_greeting(kind: Kind, word: str) -> None:
    assert greeting(settings(kind)).encode() == f"220 mx.example {word} moxpy\r\n".encode()
