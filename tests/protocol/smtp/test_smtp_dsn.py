"""DSN parameters (RFC 3461 §4, RFC 6533 §3)."""

from typing import Any

import pytest

from appliance.mail.address import Path
from appliance.mail.domain import Domain
from appliance.protocol.smtp.command import Mail, Rcpt, parse_mail, parse_rcpt
from appliance.protocol.smtp.reply import ProtocolError
from support.smtpdriver import NOW, settings

AB = Path("a", Domain("b.example", "b.example"))


def mail(parameters: bytes) -> Mail:
    return parse_mail(b"FROM:<a@b.example> " + parameters, settings(), tls=False, now=lambda: NOW)


def rcpt(parameters: bytes, *, smtputf8: bool = False) -> Rcpt:
    return parse_rcpt(b"TO:<a@b.example> " + parameters, settings(), smtputf8=smtputf8)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param(b"RET=FULL", Mail(AB, ret="FULL"), id="full"),
        pytest.param(b"ret=hDrS ENVID=QQ314159", Mail(AB, ret="HDRS", envid="QQ314159"), id="headers, any case"),
        pytest.param(b"ENVID=a+20b+2B+3D", Mail(AB, envid="a b+="), id="xtext"),
        pytest.param(b"ENVID=" + b"+41" * 33 + b"x", Mail(AB, envid="A" * 33 + "x"), id="100 octets"),
        pytest.param(b"SIZE=5 ENVID=(x) RET=FULL SMTPUTF8", Mail(AB, 5, None, True, ret="FULL", envid="(x)"), id="others"),
    ],
)  # fmt: skip
def test_mail(parameters: bytes, expected: Mail) -> None:
    assert mail(parameters) == expected


@pytest.mark.parametrize(
    ("parameters", "smtputf8", "expected"),
    [
        pytest.param(b"NOTIFY=NEVER", False, Rcpt(AB, ("NEVER",)), id="never"),
        pytest.param(b"notify=success,Delay,FAILURE", False, Rcpt(AB, ("DELAY", "FAILURE", "SUCCESS")), id="all"),
        pytest.param(b"NOTIFY=FAILURE,,FAILURE", False, Rcpt(AB, ("FAILURE",)), id="empty elements"),
        pytest.param(b"ORCPT=rfc822;Bob+2Bx@b.example", False, Rcpt(AB, orcpt="rfc822;Bob+2Bx@b.example"), id="orcpt"),
        pytest.param(b"ORCPT=x400;/C=US", False, None, id="= is encoded"),
        pytest.param(b"ORCPT=x400;/C+3DUS NOTIFY=DELAY", False, Rcpt(AB, ("DELAY",), "x400;/C+3DUS"), id="other type"),
        pytest.param(b"ORCPT=rfc822;" + b"x" * 487, False, Rcpt(AB, orcpt="rfc822;" + "x" * 487), id="500 octets"),
        pytest.param(b"ORCPT=utf-8;\\x{E9}@b.example", False, Rcpt(AB, orcpt="utf-8;\\x{E9}@b.example"), id="numbered"),
        pytest.param("ORCPT=UTF-8;\u00e9@b.example".encode(), True, Rcpt(AB, orcpt="UTF-8;\u00e9@b.example"), id="UTF-8"),
    ],
)  # fmt: skip
def test_rcpt(parameters: bytes, smtputf8: bool, expected: Rcpt | None) -> None:
    if expected is None:
        refused(rcpt, parameters)
    else:
        assert rcpt(parameters, smtputf8=smtputf8) == expected


def refused(parse: Any, parameters: bytes, **keywords: Any) -> str:
    with pytest.raises(ProtocolError) as caught:
        parse(parameters, **keywords)
    assert not caught.value.fatal
    return f"{caught.value.reply.code} {caught.value.reply.status}"


@pytest.mark.parametrize(
    ("parse", "parameters", "expected"),
    [
        pytest.param(mail, b"RET", "501 5.5.4", id="RET without value"),
        pytest.param(mail, b"RET=BODY", "501 5.5.4", id="RET"),
        pytest.param(mail, b"RET=FULL RET=FULL", "501 5.5.4", id="RET twice"),
        pytest.param(mail, b"ENVID", "501 5.5.4", id="ENVID without value"),
        pytest.param(mail, b"ENVID=a+", "501 5.5.4", id="open hexchar"),
        pytest.param(mail, b"ENVID=a+2b", "501 5.5.4", id="hexchar in lower case"),
        pytest.param(mail, b"ENVID=a+0D+0Ab", "501 5.5.4", id="line end"),
        pytest.param(mail, b"ENVID=a+E9", "501 5.5.4", id="beyond ASCII"),
        pytest.param(mail, b"ENVID=\xc3\xa9", "501 5.5.4", id="UTF-8 in ENVID"),
        pytest.param(mail, b"ENVID=" + b"x" * 101, "501 5.5.4", id="101 octets"),
        pytest.param(mail, b"ENVID=1 envid=1", "501 5.5.4", id="ENVID twice"),
        pytest.param(mail, b"NOTIFY=NEVER", "555 5.3.3", id="parameter of RCPT"),
        pytest.param(rcpt, b"NOTIFY", "501 5.5.4", id="NOTIFY without value"),
        pytest.param(rcpt, b"NOTIFY=,", "501 5.5.4", id="nothing but a comma"),
        pytest.param(rcpt, b"NOTIFY=NEVER,DELAY", "501 5.5.4", id="NEVER with others"),
        pytest.param(rcpt, b"NOTIFY=ALWAYS", "501 5.5.4", id="NOTIFY"),
        pytest.param(rcpt, b"NOTIFY=DELAY NOTIFY=DELAY", "501 5.5.4", id="NOTIFY twice"),
        pytest.param(rcpt, b"ORCPT=a@b.example", "501 5.5.4", id="no type"),
        pytest.param(rcpt, b"ORCPT=;a@b.example", "501 5.5.4", id="empty type"),
        pytest.param(rcpt, b"ORCPT=rfc822;", "501 5.5.4", id="no address"),
        pytest.param(rcpt, b"ORCPT=rfc 822;a", "501 5.5.2", id="space"),
        pytest.param(rcpt, b"ORCPT=rfc822;a+00", "501 5.5.4", id="NUL"),
        pytest.param(rcpt, b"ORCPT=rfc822;" + b"x" * 488, "501 5.5.4", id="501 octets"),
        pytest.param(rcpt, b"ORCPT=rfc822;a ORCPT=rfc822;a", "501 5.5.4", id="ORCPT twice"),
        pytest.param(rcpt, b"ORCPT=utf-8;\xc3\xa9", "501 5.5.4", id="UTF-8 without SMTPUTF8"),
    ],
)
def test_refused(parse: Any, parameters: bytes, expected: str) -> None:
    assert refused(parse, parameters) == expected


def test_octets_that_are_no_utf8() -> None:
    assert refused(rcpt, b"ORCPT=utf-8;\xff", smtputf8=True) == "501 5.5.4"
