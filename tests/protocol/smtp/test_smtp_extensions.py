import pytest

from appliance.protocol.smtp.extensions import ehlo_reply, helo_reply
from appliance.protocol.smtp.settings import Kind, Settings
from support.smtpdriver import NOW, settings

LAST = ["ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "LIMITS RCPTMAX=3", "SMTPUTF8"]
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
    assert list(reply.text) == FIRST + middle + LAST


def test_helo_is_one_line() -> None:
    assert helo_reply(settings()).encode() == b"250 mx.example\r\n"
